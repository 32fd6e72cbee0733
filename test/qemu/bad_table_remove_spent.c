/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table with Spent entries is taken away and given back empty: then the host could bring other data to the IPA that it
 * took. It stays as long as the VM lives.
 */
#include "vm.h"

TEST(bad_table_remove_spent)
{
	const uint64_t ipa = WINDOW + 2 * MIB2;

	victim(0);
	vm_start(1, 1, guest_reader, 0);
	expect_report(1, 0, REPORT_READY);
	vm_table(1, ipa, 3);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, 1, ipa, page(), 1, 3), NIE_OK);
	REFUSED(NOT_EMPTY, TABLE_REMOVE, 1, ipa, 3);
	uint64_t taken = CALL_X1(PAGE_REMOVE, 1, ipa, 1);

	REFUSED(NOT_EMPTY, TABLE_REMOVE, 1, ipa, 3);
	REFUSED(NOT_EMPTY, TABLE_REMOVE, 1, WINDOW, 2);
	REFUSED(MAPPED, TABLE_ADD, 1, ipa, 3, page());
	REFUSED(SPENT, PAGE_ADD_ZERO, 1, ipa, taken, 1, 3);
	in(1, 0, RUN_IN_X0, ipa);
	CHECK_EQ(expect_report(1, 0, REPORT_ABORT) & 63, FSC_EXTERNAL);
	victim_intact(0);
}
