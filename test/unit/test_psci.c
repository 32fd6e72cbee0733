/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI and the VM's own calls; the host's SMCs and what of them reaches firmware. */
#include "vm.h"
#include "../../engine/core/psci.h"
#include "../../engine/core/trap.h"

#define UNKNOWN_PSCI 0x84000015

static void vm_enter(uint32_t vcpus)
{
	active(0, vcpus);
	run(1, 0, 0);
}

/* HVC of the VM on CPU 1; x0 as the VM finds it, the exit's reason in the record. */
static uint64_t vm_hvc(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
	return hvc(1, x0, (const uint64_t[6]){ x1, x2, x3 });
}

static void versions(void)
{
	uint32_t before;

	vm_enter(1);
	before = quick_served;
	CHECK_EQ(vm_hvc(PSCI_VERSION, 0, 0, 0), 0x10001);
	CHECK_EQ(vm_hvc(SMCCC_VERSION, 0, 0, 0), 0x10001);
	CHECK_EQ(vm_hvc(NIE_VM_VERSION, 0, 0, 0), NIE_ABI_VERSION);
	CHECK_EQ(vm_hvc(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
	CHECK_EQ(vm_hvc(0xdeadbeef00000000 | PSCI_VERSION, 0, 0, 0), 0x10001);
	CHECK_EQ(vm_hvc(UNKNOWN_PSCI, 0, 0, 0), PSCI_NOT_SUPPORTED);
	CHECK_EQ(vm_hvc(NIE_VM_CREATE, 1, ROOT(1), IPA(0)), PSCI_NOT_SUPPORTED);
	CHECK_EQ(vm_hvc(NIE_VERSION, 0, 0, 0), PSCI_NOT_SUPPORTED);
	CHECK_EQ(quick_served - before, 4);
	CHECK_EQ(cpus[1].vm, 0);
}

static void smc_steps_over_hvc_does_not(void)
{
	uint64_t pc;

	vm_enter(1);
	pc = *reg(1, REG_ELR_EL2);
	vm_hvc(PSCI_VERSION, 0, 0, 0);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc);
	CHECK_EQ(smc(1, PSCI_VERSION, 0, 0, 0), 0x10001);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc + 4);
}

static void features(void)
{
	const uint64_t there[] = { PSCI_VERSION,     PSCI_FEATURES,      PSCI_CPU_ON,
				   PSCI_CPU_OFF,     PSCI_AFFINITY_INFO, PSCI_SYSTEM_OFF,
				   PSCI_SYSTEM_RESET };

	vm_enter(1);
	for (uint32_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		CHECK_EQ(vm_hvc(PSCI_FEATURES, there[i], 0, 0), 0);
		CHECK_EQ(smc(0, PSCI_FEATURES, there[i], 0, 0), 0);
	}
	CHECK_EQ(vm_hvc(PSCI_FEATURES, PSCI_CPU_SUSPEND, 0, 0), 0);
	CHECK_EQ(vm_hvc(PSCI_FEATURES, UNKNOWN_PSCI, 0, 0), PSCI_NOT_SUPPORTED);
	CHECK_EQ(smc(0, PSCI_FEATURES, UNKNOWN_PSCI, 0, 0), PSCI_NOT_SUPPORTED);
}

static void vm_cpu_on(void)
{
	vm_enter(2);
	CHECK_EQ(vm_hvc(PSCI_AFFINITY_INFO, 1, 0, 0), PSCI_AFFINITY_OFF);
	CHECK_EQ(vm_hvc(PSCI_CPU_ON, 2, IPA(0), 0), PSCI_INVALID_PARAMETERS);
	CHECK_EQ(vm_hvc(PSCI_CPU_ON, ALL_ONES, IPA(0), 0), PSCI_INVALID_PARAMETERS);
	CHECK_EQ(vm_hvc(PSCI_CPU_ON, 0, IPA(0), 0), PSCI_ALREADY_ON);
	CHECK_EQ(vm_hvc(PSCI_CPU_ON, 1, IPA(0) - 4, 0), PSCI_INVALID_ADDRESS);
	CHECK_EQ(vm_hvc(PSCI_CPU_ON, 1, IPA(4096), 0), PSCI_INVALID_ADDRESS);
	CHECK_EQ(cpus[1].vm, 0);
	fake_counts.tlbi = fake_counts.ic = 0;
	vm_hvc(PSCI_CPU_ON, 1, IPA(3) + 8, 0x1234);
	CHECK_EQ(cpus[1].vm, CPU_HOST);
	CHECK(fake_counts.tlbi == 1 && fake_counts.ic != 0);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_CPU_ON);
	CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 1);
	for (uint32_t i = 0; i < 7; i++)
		CHECK_EQ(out(0, 0, RUN_OUT_X0 + i), 0);
	CHECK_EQ(run(2, 0, 1), NIE_OK);
	CHECK_EQ(*reg(2, REG_ELR_EL2), IPA(3) + 8);
	CHECK_EQ(cpus[2].x[0], 0x1234);
	CHECK_EQ(*reg(2, REG_VMPIDR_EL2), 0x80000001);
	run(1, 0, 0);
	CHECK_EQ(cpus[1].x[0], PSCI_SUCCESS);
	CHECK_EQ(vm_hvc(PSCI_CPU_ON, 1, IPA(0), 0), PSCI_ALREADY_ON);
	CHECK_EQ(vm_hvc(PSCI_AFFINITY_INFO, 1, 0, 0), PSCI_AFFINITY_ON);
	CHECK_EQ(vm_hvc(PSCI_AFFINITY_INFO, 1, 1, 0), PSCI_INVALID_PARAMETERS);
	CHECK_EQ(vm_hvc(PSCI_AFFINITY_INFO, 2, 0, 0), PSCI_INVALID_PARAMETERS);
}

/* SMC32: the upper halves of the arguments are not looked at [DEN0028, 3.1]. */
static void vm_cpu_on_32(void)
{
	vm_enter(2);
	CHECK_EQ(vm_hvc(PSCI_AFFINITY_INFO_32, 0xffffffff00000001, 0xffffffff00000000, 0),
		 PSCI_AFFINITY_OFF);
	vm_hvc(PSCI_CPU_ON_32, 0xffffffff00000001, 0xffffffff00000000 | IPA(0), 0xffffffff00001234);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_CPU_ON);
	CHECK_EQ(run(2, 0, 1), NIE_OK);
	CHECK_EQ(cpus[2].x[0], 0x1234);
}

static void vm_cpu_off_and_on_again(void)
{
	vm_enter(2);
	*reg(1, REG_TTBR0_EL1) = 0x5ec4e7;
	vm_hvc(PSCI_CPU_OFF, 0, 0, 0);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_CPU_OFF);
	CHECK_EQ(run(1, 0, 0), NIE_E_VCPU_STATE);
	CHECK_EQ(vcpus[0].state, VCPU_OFF);
}

static void vm_suspend_is_wfi(void)
{
	vm_enter(1);
	vm_hvc(PSCI_CPU_SUSPEND, 0, IPA(0), 0);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_WFI);
	run(1, 0, 0);
	CHECK_EQ(cpus[1].x[0], PSCI_SUCCESS);
}

static void vm_system_off(void)
{
	vm_enter(1);
	vm_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_SYSTEM_OFF);
	CHECK_EQ(vms[0].state, NIE_VM_STOPPED);
	CHECK_EQ(run(1, 0, 0), NIE_E_VM_STATE);
	active(1, 1);
	run(1, 1, 0);
	vm_hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
	CHECK_EQ(out(1, 0, RUN_OUT_REASON), NIE_EXIT_SYSTEM_RESET);
	CHECK_EQ(vms[1].state, NIE_VM_STOPPED);
	CHECK_EQ(fake_counts.firmware, 0);
}

static void vm_host_call(void)
{
	vm_enter(1);
	for (uint32_t i = 0; i < 31; i++)
		cpus[1].x[i] = 0x100 + i;
	hvc(1, NIE_VM_HOST_CALL, (const uint64_t[6]){ 1, 2, 3, 4, 5, 6 });
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_HOST_CALL);
	CHECK_EQ(out(0, 0, RUN_OUT_X0), NIE_VM_HOST_CALL);
	for (uint32_t i = 1; i < 7; i++)
		CHECK_EQ(out(0, 0, RUN_OUT_X0 + i), i);
	for (uint32_t i = 0; i < 4; i++)
		in(0, 0, RUN_IN_X0 + i, 0x55 + i);
	run(1, 0, 0);
	for (uint32_t i = 0; i < 4; i++)
		CHECK_EQ(cpus[1].x[i], 0x55 + i);
	CHECK_EQ(cpus[1].x[4], 4);
	CHECK_EQ(cpus[1].x[7], 0x107);
	/* Only once. */
	kick(1);
	in(0, 0, RUN_IN_X0, 0x99);
	run(1, 0, 0);
	CHECK_EQ(cpus[1].x[0], 0x55);
}

static void vm_page_reopen(void)
{
	vm_enter(1);
	CHECK_EQ(vm_hvc(NIE_VM_PAGE_REOPEN, IPA(1) + 1, 0, 0), NIE_E_ALIGN);
	CHECK_EQ(vm_hvc(NIE_VM_PAGE_REOPEN, 1ULL << 39, 0, 0), NIE_E_IPA);
	CHECK_EQ(vm_hvc(NIE_VM_PAGE_REOPEN, IPA(1), 0, 0), NIE_E_NOT_SPENT);
	CHECK_EQ(vm_hvc(NIE_VM_PAGE_REOPEN, IPA(9), 0, 0), NIE_E_NOT_SPENT);
	CHECK_EQ(vm_hvc(NIE_VM_PAGE_REOPEN, IPA(1024), 0, 0), NIE_E_NOT_SPENT);
	GRANTED(PAGE_REMOVE, 0, IPA(1), 1);
	REFUSED(PAGE_ADD_ZERO, SPENT, "before the VM reopens it", 0, IPA(1), ZERO(0), 1, 3);
	CHECK_EQ(vm_hvc(NIE_VM_PAGE_REOPEN, IPA(1), 0, 0), NIE_OK);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(1), ZERO(0), 1, 3);
	CHECK_EQ(cpus[1].vm, 0);
}

static void host_smcs(void)
{
	CHECK_EQ(smc(0, PSCI_VERSION, 0, 0, 0), 0x10001);
	CHECK_EQ(smc(0, SMCCC_VERSION, 0, 0, 0), 0x10001);
	CHECK_EQ(smc(0, PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), 2);
	CHECK_EQ(smc(0, UNKNOWN_PSCI, 1, 2, 3), PSCI_NOT_SUPPORTED);
	CHECK_EQ(smc(0, PSCI_CPU_SUSPEND, 1, 2, 3), PSCI_NOT_SUPPORTED);
	CHECK_EQ(smc(0, 0xc5000000, 1, 2, 3), PSCI_NOT_SUPPORTED);
	CHECK_EQ(smc(0, NIE_VM_CREATE, 0, ROOT(0), IPA(0)), PSCI_NOT_SUPPORTED);
	CHECK_EQ(fake_counts.firmware, 0);
	firmware_answer = 1;
	CHECK_EQ(smc(0, PSCI_AFFINITY_INFO, 3, 0, 0), 1);
	CHECK_EQ(firmware_last[1], 3);
}

static void host_cpu_on(void)
{
	CHECK_EQ(smc(0, PSCI_CPU_ON, FAKE_CPUS, 0x1000, 0), PSCI_INVALID_PARAMETERS);
	CHECK_EQ(smc(0, PSCI_CPU_ON, 0x100, 0x1000, 0), PSCI_INVALID_PARAMETERS);
	CHECK_EQ(smc(0, PSCI_CPU_ON, ALL_ONES, 0x1000, 0), PSCI_INVALID_PARAMETERS);
	CHECK_EQ(smc(0, PSCI_CPU_ON, 1, 0x1000, 0), PSCI_ALREADY_ON);
	CHECK_EQ(fake_counts.firmware, 0);
	cpus[1].x[0] = PSCI_CPU_OFF;
	CHECK_EQ(take(1, TRAP_SYNC, (uint64_t)EC_SMC64 << 26), TRAP_CPU_OFF);
	firmware_on_answer = PSCI_INVALID_PARAMETERS;
	CHECK_EQ(smc(0, PSCI_CPU_ON, 1, 0x1000, 7), PSCI_INVALID_PARAMETERS);
	firmware_on_answer = 0;
	CHECK_EQ(smc(0, PSCI_CPU_ON, 1, 0x1000, 7), PSCI_SUCCESS);
	CHECK_EQ(smc(0, PSCI_CPU_ON, 1, 0x2000, 8), PSCI_ALREADY_ON);
	fake_cpu = 1;
	memset(fake_reg[1], 0x5a, REG_MPIDR_EL1 * sizeof(uint64_t));
	cpu_start(1);
	CHECK_EQ(*reg(1, REG_ELR_EL2), 0x1000);
	CHECK_EQ(cpus[1].x[0], 7);
	CHECK_EQ(*reg(1, REG_VTTBR_EL2), (uint64_t)TABLES << 12);
	CHECK_EQ(*reg(1, REG_TTBR0_EL1), 0);
}

static void host_reset_with_a_vm(void)
{
	build(0, 1);
	CHECK_EQ(smc(0, PSCI_SYSTEM_RESET, 0, 0, 0), PSCI_DENIED);
	CHECK_EQ(smc(0, PSCI_SYSTEM_OFF, 0, 0, 0), PSCI_DENIED);
	GRANTED(VM_STOP, 0);
	CHECK_EQ(smc(0, PSCI_SYSTEM_RESET, 0, 0, 0), PSCI_DENIED);
	CHECK_EQ(fake_counts.firmware, 0);
	GRANTED(VM_CREATE, 63, ROOT(1), IPA(0), 1, 1);
	CHECK_EQ(smc(0, PSCI_SYSTEM_OFF, 0, 0, 0), PSCI_DENIED);
}

static void host_reset_without_vm(void)
{
	smc(0, PSCI_SYSTEM_RESET, 0, 0, 0);
	CHECK_EQ(firmware_last[0], PSCI_SYSTEM_RESET);
	smc(0, PSCI_SYSTEM_OFF, 0, 0, 0);
	CHECK_EQ(firmware_last[0], PSCI_SYSTEM_OFF);
	CHECK_EQ(fake_counts.firmware, 2);
}

TESTS(psci, TEST(versions), TEST(smc_steps_over_hvc_does_not), TEST(features), TEST(vm_cpu_on),
      TEST(vm_cpu_on_32), TEST(vm_cpu_off_and_on_again), TEST(vm_suspend_is_wfi),
      TEST(vm_system_off), TEST(vm_host_call), TEST(vm_page_reopen), TEST(host_smcs),
      TEST(host_cpu_on), TEST(host_reset_with_a_vm), TEST(host_reset_without_vm));
