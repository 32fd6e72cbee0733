/* SPDX-License-Identifier: Apache-2.0 */
/* The host answers for memory: a missing page in the VM's RAM cannot be answered, only added. */
#include "vm.h"

TEST(bad_vcpu_run_forged_answer)
{
	const uint64_t ipa = WINDOW + 200 * PAGE;

	victim(0);
	vm_start(1, 1, guest_reader, 0);
	expect_report(1, 0, REPORT_READY);
	in(1, 0, RUN_IN_X0, ipa);
	for (uint32_t n = 0; n < 3; n++) {
		CHECK_EQ(enter(1, 0), NIE_EXIT_PAGE_MISSING);
		CHECK_EQ(out(1, 0, RUN_OUT_IPA), ipa);
		in(1, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
		in(1, 0, RUN_IN_X0, 0xf0f0);
	}
	uint64_t zero = page();

	store(zero, 0xf0f0);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, 1, ipa, zero, 1, 3), NIE_OK);
	CHECK_EQ(expect_report(1, 0, REPORT_VALUE), 0);
	/* An answer when nothing was asked: registers are as they were. */
	in(0, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
	alarm(1);
	victim_intact(0);
}
