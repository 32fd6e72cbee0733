/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page is taken and given back at the same IPA, with other data or with zeros, itself or another: the VM would find
 * forged memory. It gets an abort there until it reopens the IPA, and then zeros.
 */
#include "vm.h"

TEST(bad_page_remove_and_return)
{
	victim(0);
	vm_start(1, 1, guest_reopener, 0);
	expect_report(1, 0, REPORT_READY);
	uint64_t taken = CALL_X1(PAGE_REMOVE, 1, DATA + PAGE, 1);

	store(taken, 0xf0f0);
	REFUSED(SPENT, PAGE_ADD_ZERO, 1, DATA + PAGE, taken, 1, 3);
	REFUSED(SPENT, PAGE_ADD_ZERO, 1, DATA + PAGE, page(), 1, 3);
	REFUSED(VM_STATE, PAGE_ADD, 1, DATA + PAGE, taken, 1);
	REFUSED(IPA, PAGE_SHARED_ADD, 1, DATA + PAGE, taken, 1);
	REFUSED(UNMAPPED, PAGE_REMOVE, 1, DATA + PAGE, 1);
	/* The VM itself: not what is not Spent, then what is. */
	in(1, 0, RUN_IN_X0, DATA);
	CHECK_EQ(expect_report(1, 0, REPORT_VALUE), NIE_E_NOT_SPENT);
	in(1, 0, RUN_IN_X0, DATA + PAGE);
	CHECK_EQ(expect_report(1, 0, REPORT_VALUE), NIE_OK);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, 1, DATA + PAGE, taken, 1, 3), NIE_OK);
	check_forbidden(taken);
	victim_intact(0);
}
