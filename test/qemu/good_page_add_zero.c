/* SPDX-License-Identifier: Apache-2.0 */
/* A missing page is added, as a page or in a block: the VM finds zeros, never what the host had there. */
#include "vm.h"

TEST(good_page_add_zero)
{
	uint64_t block = pages(512, MIB2), one = page();

	vm_start(0, 1, guest_reader, 0);
	expect_report(0, 0, REPORT_READY);
	store(one + 8, 0xbad);
	in(0, 0, RUN_IN_X0, WINDOW + 100 * PAGE + 8);
	CHECK_EQ(enter(0, 0), NIE_EXIT_PAGE_MISSING);
	CHECK_EQ(out(0, 0, RUN_OUT_IPA), WINDOW + 100 * PAGE);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, 0, WINDOW + 100 * PAGE, one, 1, 3), NIE_OK);
	CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0);
	for (uint64_t i = 0; i < 512; i++)
		store(block + i * PAGE + 16, 0xbad);
	in(0, 0, RUN_IN_X0, WINDOW + MIB2 + 77 * PAGE + 16);
	CHECK_EQ(enter(0, 0), NIE_EXIT_PAGE_MISSING);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, 0, WINDOW + MIB2, block, 512, 2), NIE_OK);
	CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0);
	check_forbidden(one);
	check_forbidden(block + 511 * PAGE);
	vm_table(0, WINDOW + MIB2, 3);
}
