/* SPDX-License-Identifier: Apache-2.0 */
/* The VM's secret is gone when the host gets the page, on all CPUs at once; the VM gets an abort there. */
#include "vm.h"

TEST(good_page_remove)
{
	vm_start(0, 1, guest_reader, 0);
	expect_report(0, 0, REPORT_READY);
	in(0, 0, RUN_IN_X0, DATA);
	CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0);
	CHECK_EQ(CALL_X1(PAGE_REMOVE, 0, DATA, DATA_PAGES), vm[0].data);
	for (uint64_t i = 0; i < DATA_PAGES; i++)
		CHECK(is_zero(vm[0].data + i * PAGE));
	uint64_t esr = expect_report(0, 0, REPORT_ABORT);

	CHECK_EQ(esr >> 26, ESR_DATA_ABORT);
	CHECK_EQ(esr & 63, FSC_EXTERNAL);
	/* Code comes back scrubbed too. */
	victim(1);
	CHECK_EQ(CALL_X1(PAGE_REMOVE, 1, DATA + PAGE, 1), vm[1].data + PAGE);
	CHECK(is_zero(vm[1].data + PAGE));
}
