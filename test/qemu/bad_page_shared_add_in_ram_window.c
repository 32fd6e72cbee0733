/* SPDX-License-Identifier: Apache-2.0 */
/* Shared memory where the VM expects its own; the victim's pages shared; code run from a shared page. */
#include "vm.h"

TEST(bad_page_shared_add_in_ram_window)
{
	uint64_t both = page();

	victim(0);
	REFUSED(IPA, PAGE_SHARED_ADD, 0, WINDOW + 100 * PAGE, both, 1);
	REFUSED(IPA, PAGE_SHARED_ADD, 0, DATA, both, 1);
	REFUSED(IPA, PAGE_SHARED_ADD, 0, DEVICE, both, 1);
	REFUSED(OWNER, PAGE_SHARED_ADD, 0, SHARED, vm[0].data, 1);
	REFUSED(OWNER, PAGE_SHARED_ADD, 0, SHARED, vm[0].root, 1);
	REFUSED(OWNER, PAGE_SHARED_ADD, 0, SHARED, ENGINE, 1);
	vm_start(1, 1, guest_jumper, 0);
	expect_report(1, 0, REPORT_READY);
	store(both, 0xd65f03c0); /* RET */
	CHECK_EQ(CALL(PAGE_SHARED_ADD, 1, SHARED, both, 1), NIE_OK);
	REFUSED(OWNER, PAGE_SHARED_ADD, 0, SHARED, both, 1);
	REFUSED(OWNER, PAGE_ADD_ZERO, 0, WINDOW + 100 * PAGE, both, 1, 3);
	in(1, 0, RUN_IN_X0, SHARED);
	uint64_t esr = expect_report(1, 0, REPORT_ABORT);

	CHECK_EQ(esr >> 26, ESR_FETCH_ABORT);
	CHECK_EQ(esr & 63, FSC_EXTERNAL);
	victim_intact(0);
}
