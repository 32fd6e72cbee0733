/* SPDX-License-Identifier: Apache-2.0 */
/* The VM finds the content that the host gave; the host no longer finds the page. */
#include "vm.h"

TEST(good_page_add)
{
	uint64_t given = pages(16, 16 * PAGE);

	for (uint64_t at = 0; at < 16 * PAGE; at += 8)
		store(given + at, at ^ 0x1234567);
	vm_create(0, 1);
	vm_load(0);
	vm_vcpu(0, 0, guest_reader, 0);
	CHECK_EQ(CALL(PAGE_ADD, 0, WINDOW + 100 * PAGE, given, 16), NIE_OK);
	CHECK_EQ(CALL(VM_ACTIVATE, 0), NIE_OK);
	expect_report(0, 0, REPORT_READY);
	for (uint64_t at = 0; at < 16 * PAGE; at += PAGE / 2 - 8) {
		check_forbidden(given + at);
		in(0, 0, RUN_IN_X0, WINDOW + 100 * PAGE + at);
		CHECK_EQ(expect_report(0, 0, REPORT_VALUE), at ^ 0x1234567);
	}
}
