/* SPDX-License-Identifier: Apache-2.0 */
/* Life cycles of VMs, vCPUs and tables: every status of their calls, and what each call changes. */
#include "vm.h"

#define ENGINE_PA ((uint64_t)ENGINE_BASE << 12)
#define NOT_RAM   ((uint64_t)(RAM_BASE + RAM_PAGES) << 12)
#define HALF      (1ULL << 38)
#define SPACE     (1ULL << 39)

static void no_such_call(void)
{
	CHECK_EQ(hvc(0, 0xc6000000 + 15, (const uint64_t[6]){ 0 }), NIE_E_CALL);
	CHECK_EQ(hvc(0, 0, (const uint64_t[6]){ 0 }), NIE_E_CALL);
	CHECK_EQ(hvc(0, 0xc6000100, (const uint64_t[6]){ 0 }), NIE_E_CALL);
	CHECK_EQ(hvc(0, 0x84000000, (const uint64_t[6]){ 0 }), NIE_E_CALL);
}

static void upper_half_of_function_is_ignored(void)
{
	CHECK_EQ(hvc(0, 0xffffffffc6000000, (const uint64_t[6]){ 0 }), NIE_OK);
	CHECK_EQ(cpus[0].x[1], NIE_ABI_VERSION);
}

static void version(void)
{
	uint32_t before = quick_served;

	CHECK_EQ(GRANTED(VERSION, 0), NIE_ABI_VERSION);
	CHECK_EQ(quick_served - before, 1);
	/* An SMC with its number is no call of the engine. */
	CHECK_EQ(smc(0, NIE_VERSION, 0, 0, 0), (uint64_t)-1);
	CHECK_EQ(quick_served - before, 1);
	CHECK_EQ(cpus[0].x[2], 0);
}

static void call_preserves_registers(void)
{
	for (uint32_t i = 0; i < 31; i++)
		cpus[0].x[i] = 0x1234500 + i;
	hvc(0, NIE_VM_STOP, (const uint64_t[6]){ 1, 2, 3, 4, 5, 6 });
	for (uint32_t i = 1; i < 31; i++)
		CHECK_EQ(cpus[0].x[i], i <= 6 ? i : 0x1234500 + i);
}

static void vm_info(void)
{
	REFUSED(VM_INFO, VM, "index 64", NIE_MAX_VMS);
	REFUSED(VM_INFO, VM, "index 2^32", 1ULL << 32);
	CHECK_EQ(GRANTED(VM_INFO, 1), NIE_VM_FREE);
	active(1, 2);
	CHECK_EQ(GRANTED(VM_INFO, 1), NIE_VM_ACTIVE);
	/* root, four tables, two pages, two contexts, two records */
	CHECK_EQ(cpus[0].x[2], 11);
	CHECK_EQ(run(1, 1, 0), NIE_OK);
	CHECK_EQ(GRANTED(VM_INFO, 1), NIE_VM_ACTIVE | 1 << 8);
	kick(1);
}

static void vm_create(void)
{
	REFUSED(VM_CREATE, VM, "index 64", NIE_MAX_VMS, ROOT(0), IPA(0), 16, 1);
	REFUSED(VM_CREATE, WINDOW, "base not aligned", 0, ROOT(0), IPA(0) + 8, 16, 1);
	REFUSED(VM_CREATE, WINDOW, "base on page 0", 0, ROOT(0), 0, 16, 1);
	REFUSED(VM_CREATE, WINDOW, "base in the upper half", 0, ROOT(0), HALF, 16, 1);
	REFUSED(VM_CREATE, WINDOW, "no pages", 0, ROOT(0), IPA(0), 0, 1);
	REFUSED(VM_CREATE, WINDOW, "leaves the lower half", 0, ROOT(0), HALF - 0x1000, 2, 1);
	REFUSED(VM_CREATE, WINDOW, "pages that overflow", 0, ROOT(0), IPA(0), ALL_ONES, 1);
	REFUSED(VM_CREATE, VCPU, "no vCPU", 0, ROOT(0), IPA(0), 16, 0);
	REFUSED(VM_CREATE, VCPU, "nine vCPUs", 0, ROOT(0), IPA(0), 16, 9);
	REFUSED(VM_CREATE, VCPU, "2^32 + 1 vCPUs", 0, ROOT(0), IPA(0), 16, (1ULL << 32) + 1);
	REFUSED(VM_CREATE, ALIGN, "root not aligned", 0, ROOT(0) + 1, IPA(0), 16, 1);
	REFUSED(VM_CREATE, PA, "root above RAM", 0, NOT_RAM, IPA(0), 16, 1);
	REFUSED(VM_CREATE, PA, "root a device", 0, (uint64_t)GICR << 12, IPA(0), 16, 1);
	REFUSED(VM_CREATE, PA, "root on page 0", 0, 0, IPA(0), 16, 1);
	REFUSED(VM_CREATE, OWNER, "root the engine's", 0, ENGINE_PA, IPA(0), 16, 1);
	build(0, 1);
	REFUSED(VM_CREATE, VM_STATE, "exists", 0, ROOT(1), IPA(0), 16, 1);
	REFUSED(VM_CREATE, OWNER, "root of another VM", 1, ROOT(0), IPA(0), 16, 1);
	GRANTED(VM_CREATE, 63, ROOT(2), HALF - 0x1000, 1, 8);
}

static void vm_create_scrubs_its_root(void)
{
	for (uint32_t i = 0; i < 512; i++)
		poke(ROOT(0) >> 12, i, PA(i) | 3);
	GRANTED(VM_CREATE, 0, ROOT(0), IPA(0), 16, 1);
	CHECK(page_is_zero(ROOT(0) >> 12));
}

static void vm_activate(void)
{
	REFUSED(VM_ACTIVATE, VM, "index 64", NIE_MAX_VMS);
	REFUSED(VM_ACTIVATE, VM_STATE, "free", 0);
	build(0, 2);
	REFUSED(VM_ACTIVATE, VCPU_STATE, "no vCPU was created", 0);
	GRANTED(VCPU_CREATE, 0, 1, CONTEXT(0, 1), RUN(0, 1), IPA(0), 0);
	REFUSED(VM_ACTIVATE, VCPU_STATE, "vCPU 0 was not created", 0);
	GRANTED(VCPU_CREATE, 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0), 0);
	GRANTED(VM_ACTIVATE, 0);
	REFUSED(VM_ACTIVATE, VM_STATE, "active", 0);
	GRANTED(VM_STOP, 0);
	REFUSED(VM_ACTIVATE, VM_STATE, "stopped", 0);
}

static void vm_stop(void)
{
	REFUSED(VM_STOP, VM, "index 64", NIE_MAX_VMS);
	REFUSED(VM_STOP, VM_STATE, "free", 0);
	build(0, 1);
	GRANTED(VM_STOP, 0);
	GRANTED(VM_STOP, 0);
	active(1, 1);
	CHECK_EQ(run(1, 1, 0), NIE_OK);
	GRANTED(VM_STOP, 1);
	CHECK_EQ(cpus[1].vm, 1);
	kick(1);
	CHECK_EQ(run(1, 1, 0), NIE_E_VM_STATE);
}

static void vm_destroy(void)
{
	REFUSED(VM_DESTROY, VM, "index 64", NIE_MAX_VMS);
	REFUSED(VM_DESTROY, VM_STATE, "free", 0);
	active(0, 1);
	REFUSED(VM_DESTROY, VM_STATE, "active", 0);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	GRANTED(VM_STOP, 0);
	REFUSED(VM_DESTROY, BUSY, "a vCPU runs", 0);
	kick(1);
	REFUSED(VM_DESTROY, NOT_EMPTY, "pages, tables, vCPUs", 0);
	GRANTED(VCPU_DESTROY, 0, 0);
	CHECK_EQ(GRANTED(PAGE_REMOVE, 0, IPA(0), 2), CODE(0));
	CHECK_EQ(GRANTED(TABLE_REMOVE, 0, IPA(0), 3), ROOT(0) + 0x2000);
	GRANTED(TABLE_REMOVE, 0, IPA(0), 2);
	GRANTED(TABLE_REMOVE, 0, SHARED(0), 3);
	REFUSED(VM_DESTROY, NOT_EMPTY, "one table", 0);
	GRANTED(TABLE_REMOVE, 0, SHARED(0), 2);
	CHECK_EQ(GRANTED(VM_DESTROY, 0), ROOT(0));
	REFUSED(VM_DESTROY, VM_STATE, "destroyed", 0);
	for (uint32_t n = 0; n < 34; n++)
		CHECK(n >= 16 && n < 24 ? true : page_is_zero((ROOT(0) >> 12) + n));
	active(0, 1);
}

static void vm_destroy_while_building(void)
{
	GRANTED(VM_CREATE, 3, ROOT(0), IPA(0), 16, 1);
	GRANTED(VM_STOP, 3);
	CHECK_EQ(GRANTED(VM_DESTROY, 3), ROOT(0));
}

static void vcpu_create(void)
{
	REFUSED(VCPU_CREATE, VM, "index 64", NIE_MAX_VMS, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0), 0);
	REFUSED(VCPU_CREATE, VM_STATE, "free", 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0), 0);
	build(0, 2);
	REFUSED(VCPU_CREATE, VCPU, "index 2 of 2", 0, 2, CONTEXT(0, 0), RUN(0, 0), IPA(0), 0);
	REFUSED(VCPU_CREATE, VCPU, "index 2^32", 0, 1ULL << 32, CONTEXT(0, 0), RUN(0, 0), IPA(0),
		0);
	REFUSED(VCPU_CREATE, WINDOW, "entry below", 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0) - 4, 0);
	REFUSED(VCPU_CREATE, WINDOW, "entry above", 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(4096), 0);
	REFUSED(VCPU_CREATE, WINDOW, "entry far above", 0, 0, CONTEXT(0, 0), RUN(0, 0), ALL_ONES,
		0);
	REFUSED(VCPU_CREATE, ALIAS, "one page for both", 0, 0, RUN(0, 0), RUN(0, 0), IPA(0), 0);
	REFUSED(VCPU_CREATE, ALIGN, "context not aligned", 0, 0, CONTEXT(0, 0) + 8, RUN(0, 0),
		IPA(0), 0);
	REFUSED(VCPU_CREATE, ALIGN, "record not aligned", 0, 0, CONTEXT(0, 0), RUN(0, 0) + 8,
		IPA(0), 0);
	REFUSED(VCPU_CREATE, PA, "context not RAM", 0, 0, NOT_RAM, RUN(0, 0), IPA(0), 0);
	REFUSED(VCPU_CREATE, PA, "record not RAM", 0, 0, CONTEXT(0, 0), NOT_RAM, IPA(0), 0);
	REFUSED(VCPU_CREATE, OWNER, "context the engine's", 0, 0, ENGINE_PA, RUN(0, 0), IPA(0), 0);
	REFUSED(VCPU_CREATE, OWNER, "record the VM's root", 0, 0, CONTEXT(0, 0), ROOT(0), IPA(0),
		0);
	GRANTED(VCPU_CREATE, 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0), 0);
	REFUSED(VCPU_CREATE, VCPU_STATE, "exists", 0, 0, CONTEXT(0, 1), RUN(0, 1), IPA(0), 0);
	REFUSED(VCPU_CREATE, OWNER, "record of vCPU 0", 0, 1, CONTEXT(0, 1), RUN(0, 0), IPA(0), 0);
	REFUSED(VCPU_CREATE, OWNER, "context of vCPU 0", 0, 1, CONTEXT(0, 0), RUN(0, 1), IPA(0), 0);
	GRANTED(VCPU_CREATE, 0, 1, CONTEXT(0, 1), RUN(0, 1), IPA(4095) + 0xffc, 0);
	CHECK_EQ(vcpus[0].state, VCPU_READY);
	CHECK_EQ(vcpus[1].state, VCPU_OFF);
	GRANTED(VM_ACTIVATE, 0);
	REFUSED(VCPU_CREATE, VM_STATE, "active", 0, 1, CONTEXT(0, 2), RUN(0, 2), IPA(0), 0);
}

static void vcpu_destroy(void)
{
	REFUSED(VCPU_DESTROY, VM, "index 64", NIE_MAX_VMS, 0);
	REFUSED(VCPU_DESTROY, VM_STATE, "free", 0, 0);
	active(0, 2);
	REFUSED(VCPU_DESTROY, VM_STATE, "active", 0, 0);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	GRANTED(VM_STOP, 0);
	REFUSED(VCPU_DESTROY, BUSY, "it runs", 0, 0);
	REFUSED(VCPU_DESTROY, VCPU, "index 2 of 2", 0, 2);
	kick(1);
	CHECK_EQ(GRANTED(VCPU_DESTROY, 0, 0), CONTEXT(0, 0));
	CHECK_EQ(cpus[0].x[2], RUN(0, 0));
	CHECK(page_is_zero(CONTEXT(0, 0) >> 12));
	REFUSED(VCPU_DESTROY, VCPU_STATE, "destroyed", 0, 0);
	GRANTED(VCPU_DESTROY, 0, 1);
}

static void table_add(void)
{
	REFUSED(TABLE_ADD, VM, "index 64", NIE_MAX_VMS, IPA(0), 2, PA(40));
	REFUSED(TABLE_ADD, VM_STATE, "free", 0, IPA(0), 2, PA(40));
	GRANTED(VM_CREATE, 0, ROOT(0), IPA(0), WINDOW_PAGES, 1);
	REFUSED(TABLE_ADD, LEVEL, "level 0", 0, IPA(0), 0, PA(40));
	REFUSED(TABLE_ADD, LEVEL, "level 1", 0, IPA(0), 1, PA(40));
	REFUSED(TABLE_ADD, LEVEL, "level 4", 0, IPA(0), 4, PA(40));
	REFUSED(TABLE_ADD, LEVEL, "level 2^32 + 2", 0, IPA(0), (1ULL << 32) + 2, PA(40));
	REFUSED(TABLE_ADD, ALIGN, "IPA not aligned to 1 GiB", 0, IPA(512), 2, PA(40));
	REFUSED(TABLE_ADD, ALIGN, "IPA not aligned to 2 MiB", 0, IPA(1), 3, PA(40));
	REFUSED(TABLE_ADD, ALIGN, "PA not aligned", 0, IPA(0), 2, PA(40) + 8);
	REFUSED(TABLE_ADD, IPA, "outside the space", 0, SPACE, 2, PA(40));
	REFUSED(TABLE_ADD, IPA, "far outside", 0, 1ULL << 63, 3, PA(40));
	REFUSED(TABLE_ADD, PA, "not RAM", 0, IPA(0), 2, NOT_RAM);
	REFUSED(TABLE_ADD, OWNER, "the engine's", 0, IPA(0), 2, ENGINE_PA);
	REFUSED(TABLE_ADD, OWNER, "the VM's root", 0, IPA(0), 2, ROOT(0));
	REFUSED(TABLE_ADD, NO_TABLE, "no level 2", 0, IPA(0), 3, PA(40));
	GRANTED(TABLE_ADD, 0, IPA(0), 2, PA(40));
	REFUSED(TABLE_ADD, MAPPED, "level 2 twice", 0, IPA(0), 2, PA(41));
	GRANTED(TABLE_ADD, 0, IPA(0), 3, PA(41));
	REFUSED(TABLE_ADD, MAPPED, "level 3 twice", 0, IPA(0), 3, PA(42));
	GRANTED(TABLE_ADD, 0, SPACE - (1 << 30), 2, PA(42));
	GRANTED(VM_STOP, 0);
	GRANTED(TABLE_ADD, 0, IPA(512), 3, PA(43));
}

static void table_add_scrubs(void)
{
	for (uint32_t i = 0; i < 512; i++)
		poke(PA(40) >> 12, i, PA(i) | 0x7ff);
	GRANTED(VM_CREATE, 0, ROOT(0), IPA(0), WINDOW_PAGES, 1);
	GRANTED(TABLE_ADD, 0, IPA(0), 2, PA(40));
	CHECK(page_is_zero(PA(40) >> 12));
}

static void table_remove(void)
{
	REFUSED(TABLE_REMOVE, VM, "index 64", NIE_MAX_VMS, IPA(0), 2);
	REFUSED(TABLE_REMOVE, VM_STATE, "free", 0, IPA(0), 2);
	build(0, 1);
	REFUSED(TABLE_REMOVE, VM_STATE, "building", 0, IPA(0), 3);
	GRANTED(VCPU_CREATE, 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0), 0);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(7), PA(40), 1, 3);
	GRANTED(VM_ACTIVATE, 0);
	REFUSED(TABLE_REMOVE, LEVEL, "level 1", 0, 0, 1);
	REFUSED(TABLE_REMOVE, LEVEL, "level 4", 0, 0, 4);
	REFUSED(TABLE_REMOVE, ALIGN, "IPA not aligned to 2 MiB", 0, IPA(1), 3);
	REFUSED(TABLE_REMOVE, ALIGN, "IPA not aligned to 1 GiB", 0, IPA(512), 2);
	REFUSED(TABLE_REMOVE, IPA, "outside the space", 0, SPACE, 3);
	REFUSED(TABLE_REMOVE, NO_TABLE, "no level 2", 0, 0, 3);
	REFUSED(TABLE_REMOVE, NO_TABLE, "no level 2 itself", 0, 0, 2);
	REFUSED(TABLE_REMOVE, NO_TABLE, "no level 3", 0, IPA(512), 3);
	REFUSED(TABLE_REMOVE, NOT_EMPTY, "a page", 0, IPA(0), 3);
	REFUSED(TABLE_REMOVE, NOT_EMPTY, "a table", 0, IPA(0), 2);
	GRANTED(PAGE_REMOVE, 0, IPA(7), 1);
	REFUSED(TABLE_REMOVE, NOT_EMPTY, "a Spent entry", 0, IPA(0), 3);
	CHECK_EQ(GRANTED(TABLE_REMOVE, 0, SHARED(0), 3), ROOT(0) + 0x4000);
	GRANTED(VM_STOP, 0);
	CHECK_EQ(GRANTED(TABLE_REMOVE, 0, IPA(0), 3), ROOT(0) + 0x2000);
	REFUSED(TABLE_REMOVE, NO_TABLE, "removed", 0, IPA(0), 3);
}

TESTS(build, TEST(no_such_call), TEST(upper_half_of_function_is_ignored), TEST(version),
      TEST(call_preserves_registers), TEST(vm_info), TEST(vm_create),
      TEST(vm_create_scrubs_its_root), TEST(vm_activate), TEST(vm_stop), TEST(vm_destroy),
      TEST(vm_destroy_while_building), TEST(vcpu_create), TEST(vcpu_destroy), TEST(table_add),
      TEST(table_add_scrubs), TEST(table_remove));
