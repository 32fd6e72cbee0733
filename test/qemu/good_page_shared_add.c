/* SPDX-License-Identifier: Apache-2.0 */
/* Both write the page and both read it; when it is taken back the host keeps what it holds. */
#include "vm.h"

TEST(good_page_shared_add)
{
	uint64_t both = pages(4, 4 * PAGE);

	vm_start(0, 1, guest_reader, 0);
	expect_report(0, 0, REPORT_READY);
	CHECK_EQ(CALL(PAGE_SHARED_ADD, 0, SHARED, both, 4), NIE_OK);
	for (uint64_t i = 0; i < 4; i++) {
		store(both + i * PAGE + 8, 0x600d + i);
		in(0, 0, RUN_IN_X0, SHARED + i * PAGE + 8);
		CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0x600d + i);
	}
	CHECK_EQ(CALL_X1(PAGE_REMOVE, 0, SHARED, 4), both);
	CHECK_EQ(load(both + PAGE + 8), 0x600e);
	CHECK_EQ(expect_report(0, 0, REPORT_ABORT) & 63, FSC_EXTERNAL);
}
