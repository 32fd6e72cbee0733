/* SPDX-License-Identifier: Apache-2.0 */
/* Tables give room; a block is split and its pages stay where they were, with what they hold. */
#include "vm.h"

TEST(good_table_add)
{
	uint64_t block = pages(512, MIB2);

	victim(0);
	store(block + 300 * PAGE, 0xbad);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, 0, WINDOW + MIB2, block, 512, 2), NIE_OK);
	check_forbidden(block);
	check_forbidden(block + 511 * PAGE);
	vm_table(0, WINDOW + MIB2, 3);
	CHECK_EQ(CALL(TABLE_ADD, 0, WINDOW + MIB2, 3, page()), NIE_E_MAPPED);
	CHECK_EQ(CALL_X1(PAGE_REMOVE, 0, WINDOW + MIB2 + 300 * PAGE, 1), block + 300 * PAGE);
	CHECK(is_zero(block + 300 * PAGE));
	check_forbidden(block + 299 * PAGE);
	check_forbidden(block + 301 * PAGE);
	victim_intact(0);
}
