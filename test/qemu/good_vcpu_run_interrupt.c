/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupts by list register: taken once, ended by the VM; WFI gives the CPU back. */
#include "vm.h"

TEST(good_vcpu_run_interrupt)
{
	vm_start(0, 1, guest_interrupted, 0);
	expect_report(0, 0, REPORT_READY);
	CHECK_EQ(enter(0, 0), NIE_EXIT_WFI);
	for (uint64_t n = 33; n < 40; n++) {
		in(0, 0, RUN_IN_LR0, 1ULL << 62 | 1ULL << 60 | n);
		CHECK_EQ(expect_report(0, 0, REPORT_VALUE), n);
		/* Pending and active are over. */
		CHECK_EQ(out(0, 0, RUN_OUT_LR0) >> 62, 0);
		CHECK_EQ(out(0, 0, RUN_OUT_VMCR) & 2, 2);
		in(0, 0, RUN_IN_LR0, 0);
		CHECK_EQ(enter(0, 0), NIE_EXIT_WFI);
	}
}
