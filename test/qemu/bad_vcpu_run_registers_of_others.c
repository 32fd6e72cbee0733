/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM reads every system register that an instruction can name: none holds what the host or another VM left, and none
 * makes the engine stop.
 */
#include "vm.h"

/* Upper half of what the host puts into its own registers. */
enum { MARK = 0x10571057 };

TEST(bad_vcpu_run_registers_of_others)
{
	const uint64_t mark = (uint64_t)MARK << 32 | 0x1234;

	victim(0);
	vm_start(1, 1, guest_sweep, MARK);
	vm_start(2, 1, guest_sweep, 0x100);
	__asm__ volatile(
		"msr tpidr_el0, %0\n\tmsr tpidrro_el0, %0\n\tmsr sp_el0, %0\n\tmsr far_el1, %0\n\t"
		"msr elr_el1, %0\n\tmsr ttbr1_el1, %0\n\tmsr cntv_cval_el0, %0\n\tmsr par_el1, "
		"%0\n\t"
		"msr afsr0_el1, %0\n\tmsr amair_el1, %0"
		:
		: "r"(mark));
	expect_report(1, 0, REPORT_VALUE);
	/* After the victim on this CPU; its pattern is 1 << 40 and more. */
	victim_intact(0);
	CHECK(expect_report(2, 0, REPORT_VALUE) > 50);
	victim_intact(0);
}
