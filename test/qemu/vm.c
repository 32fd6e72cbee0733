/* SPDX-License-Identifier: Apache-2.0 */
#include "vm.h"

struct vm vm[VMS];

void vm_table(uint32_t i, uint64_t ipa, uint64_t level)
{
	uint64_t pa = page();

	CHECK(vm[i].table_count < TABLES);
	store(pa, 0xbad); /* the engine must not take it as an entry */
	CHECK_EQ(CALL(TABLE_ADD, i, ipa, level, pa), NIE_OK);
	vm[i].tables[vm[i].table_count].ipa = ipa;
	vm[i].tables[vm[i].table_count].level = level;
	vm[i].tables[vm[i].table_count].pa = pa;
	vm[i].table_count++;
}

void vm_create(uint32_t i, uint32_t vcpus)
{
	vm[i].root = page();
	vm[i].vcpus = vcpus;
	vm[i].table_count = 0;
	store(vm[i].root + 8, 0xbad);
	CHECK_EQ(CALL(VM_CREATE, i, vm[i].root, WINDOW, WINDOW_PAGES, vcpus), NIE_OK);
	vm_table(i, WINDOW, 2);
	vm_table(i, WINDOW, 3);
	vm_table(i, SHARED, 2);
	vm_table(i, SHARED, 3);
}

void vm_load(uint32_t i)
{
	uint64_t size = GUEST_BYTES;
	uint64_t from = (uint64_t)guest_start;

	vm[i].code = pages(size / PAGE, 16 * PAGE);
	for (uint64_t at = 0; at < size; at += 8)
		store(vm[i].code + at, load(from + at));
	CHECK_EQ(CALL(PAGE_ADD, i, WINDOW, vm[i].code, size / PAGE), NIE_OK);
	vm[i].stacks = pages(NIE_MAX_VCPUS, 16 * PAGE);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, i, STACKS, vm[i].stacks, NIE_MAX_VCPUS, 3), NIE_OK);
	vm[i].data = pages(DATA_PAGES, 16 * PAGE);
	store(vm[i].data + 16, 0xbad);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, i, DATA, vm[i].data, DATA_PAGES, 3), NIE_OK);
}

void vm_vcpu(uint32_t i, uint32_t k, guest_program *program, uint64_t argument)
{
	uint64_t x0 = ((uint64_t)program - (uint64_t)guest_start) | argument << 32;

	vm[i].context[k] = page();
	vm[i].run[k] = page();
	CHECK_EQ(CALL(VCPU_CREATE, i, k, vm[i].context[k], vm[i].run[k], WINDOW, x0), NIE_OK);
}

void vm_start(uint32_t i, uint32_t vcpus, guest_program *program, uint64_t argument)
{
	vm_create(i, vcpus);
	vm_load(i);
	for (uint32_t k = 0; k < vcpus; k++)
		vm_vcpu(i, k, program, argument);
	CHECK_EQ(CALL(VM_ACTIVATE, i), NIE_OK);
}

uint64_t out(uint32_t i, uint32_t k, uint32_t word)
{
	return load(vm[i].run[k] + 8 * word);
}

void in(uint32_t i, uint32_t k, uint32_t word, uint64_t value)
{
	store(vm[i].run[k] + 8 * word, value);
}

uint64_t enter(uint32_t i, uint32_t k)
{
	do {
		CHECK_EQ(CALL(VCPU_RUN, i, k), NIE_OK);
		acknowledge();
	} while (out(i, k, RUN_OUT_REASON) == NIE_EXIT_IRQ);
	return out(i, k, RUN_OUT_REASON);
}

uint64_t expect_report(uint32_t i, uint32_t k, uint64_t code)
{
	CHECK_EQ(enter(i, k), NIE_EXIT_HOST_CALL);
	CHECK_EQ(out(i, k, RUN_OUT_X0 + 1), code);
	return out(i, k, RUN_OUT_X0 + 2);
}

void vm_share(uint32_t i)
{
	vm[i].shared = page();
	CHECK_EQ(CALL(PAGE_SHARED_ADD, i, SHARED, vm[i].shared, 1), NIE_OK);
}

void goes_on(uint32_t i, uint32_t k)
{
	uint64_t now = load(vm[i].shared + 8 * k);

	while (load(vm[i].shared + 8 * k) < now + 2)
		;
}

void busy_vm(uint32_t i)
{
	vm_create(i, 1);
	vm_load(i);
	vm_table(i, WINDOW + MIB2, 3);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, i, WINDOW + MIB2, pages(16, 16 * PAGE), 16, 3), NIE_OK);
	vm_share(i);
	vm_vcpu(i, 0, guest_busy, 0);
	CHECK_EQ(CALL(VM_ACTIVATE, i), NIE_OK);
}

static uint64_t run_once(uint64_t i)
{
	CHECK_EQ(CALL(VCPU_RUN, i, 0), NIE_OK);
	acknowledge();
	return out((uint32_t)i, 0, RUN_OUT_REASON);
}

void run_on(uint32_t cpu, uint32_t i)
{
	uint64_t before = CALL_X1(VM_INFO, i);

	on_cpu(cpu, run_once, i);
	while (CALL_X1(VM_INFO, i) == before)
		;
}

void victim(uint32_t i)
{
	vm_start(i, 1, guest_victim, i + 1);
	expect_report(i, 0, REPORT_READY);
}

void victim_intact(uint32_t i)
{
	CHECK_EQ(expect_report(i, 0, REPORT_INTACT), 0);
	check_forbidden(vm[i].code);
	check_forbidden(vm[i].data + 8);
	check_forbidden(vm[i].root);
	check_forbidden(vm[i].context[0]);
}

/* All pages below a level 3 table, one by one; a block is split first. */
static void take_pages(uint32_t i, uint64_t ipa)
{
	for (uint64_t n = 0; n < 512; n++) {
		struct answer a = hvc(NIE_PAGE_REMOVE, i, ipa + n * PAGE, 1, 0, 0, 0);

		if (a.x[0] == NIE_E_UNMAPPED)
			continue;
		CHECK_EQ(a.x[0], NIE_OK);
		if (ipa < SHARED)
			CHECK(is_zero(a.x[1]));
	}
}

void vm_destroy(uint32_t i)
{
	CHECK_EQ(CALL(VM_STOP, i), NIE_OK);
	for (uint32_t k = 0; k < vm[i].vcpus; k++) {
		struct answer a = hvc(NIE_VCPU_DESTROY, i, k, 0, 0, 0, 0);

		if (a.x[0] == NIE_E_VCPU_STATE)
			continue;
		CHECK_EQ(a.x[0], NIE_OK);
		CHECK_EQ(a.x[1], vm[i].context[k]);
		CHECK_EQ(a.x[2], vm[i].run[k]);
		CHECK(is_zero(a.x[1]));
	}
	while (vm[i].table_count > 0) {
		uint32_t t = --vm[i].table_count;
		uint64_t ipa = vm[i].tables[t].ipa, level = vm[i].tables[t].level;

		if (level == 3)
			take_pages(i, ipa);
		CHECK_EQ(CALL_X1(TABLE_REMOVE, i, ipa, level), vm[i].tables[t].pa);
		CHECK(is_zero(vm[i].tables[t].pa));
	}
	CHECK_EQ(CALL_X1(VM_DESTROY, i), vm[i].root);
	CHECK(is_zero(vm[i].root));
	vm[i].vcpus = 0;
}

void vms_destroy(void)
{
	for (uint32_t i = 0; i < VMS; i++) {
		if (vm[i].vcpus != 0)
			vm_destroy(i);
	}
}
