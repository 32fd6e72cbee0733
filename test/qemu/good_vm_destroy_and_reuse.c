/* SPDX-License-Identifier: Apache-2.0 */
/* An index, its VMID and its pages serve one VM after another: each finds its own memory, none a trace of the last. */
#include "vm.h"

TEST(good_vm_destroy_and_reuse)
{
	uint64_t block = pages(512, MIB2);

	for (uint32_t n = 0; n < 6; n++) {
		vm_start(0, 1, n % 2 == 0 ? guest_victim : guest_reader, 0x1000 + n);
		CHECK_EQ(CALL(PAGE_ADD_ZERO, 0, WINDOW + MIB2, block, 512, 2), NIE_OK);
		expect_report(0, 0, REPORT_READY);
		if (n % 2 == 0) {
			CHECK_EQ(expect_report(0, 0, REPORT_INTACT), 0);
		} else {
			/* What the last VM of this index had at these IPAs is neither in memory nor in a TLB. */
			for (uint64_t at = 0; at < MIB2; at += 4096 * 37 + 8) {
				in(0, 0, RUN_IN_X0, WINDOW + MIB2 + at);
				CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0);
			}
			in(0, 0, RUN_IN_X0, DATA);
			CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0);
			in(0, 0, RUN_IN_X0, DATA + DATA_PAGES * PAGE);
			CHECK_EQ(enter(0, 0), NIE_EXIT_PAGE_MISSING);
		}
		vm_table(0, WINDOW + MIB2, 3);
		vm_destroy(0);
	}
}
