/* SPDX-License-Identifier: Apache-2.0 */
/* An empty table comes back zeroed, at once usable by the host; another goes where it was. */
#include "vm.h"

TEST(good_table_remove)
{
	uint64_t table = page();

	victim(0);
	for (uint32_t n = 0; n < 8; n++) {
		store(table, 0xbad);
		CHECK_EQ(CALL(TABLE_ADD, 0, WINDOW + 2 * MIB2, 3, table), NIE_OK);
		check_forbidden(table);
		CHECK_EQ(CALL_X1(TABLE_REMOVE, 0, WINDOW + 2 * MIB2, 3), table);
		CHECK(is_zero(table));
		victim_intact(0);
	}
}
