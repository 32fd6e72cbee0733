/* SPDX-License-Identifier: Apache-2.0 */
/* A zero page over one that the victim has, in a range, in a block, outside its window. */
#include "vm.h"

TEST(bad_page_add_zero_over_memory)
{
	uint64_t block = pages(512, MIB2);

	victim(0);
	REFUSED(MAPPED, PAGE_ADD_ZERO, 0, DATA, page(), 1, 3);
	REFUSED(MAPPED, PAGE_ADD_ZERO, 0, WINDOW, block, 512, 3);
	REFUSED(MAPPED, PAGE_ADD_ZERO, 0, WINDOW, block, 512, 2);
	REFUSED(MAPPED, PAGE_ADD_ZERO, 0, DATA - PAGE, block, 2, 3);
	REFUSED(WINDOW, PAGE_ADD_ZERO, 0, WINDOW - PAGE, block, 1, 3);
	REFUSED(WINDOW, PAGE_ADD_ZERO, 0, SHARED, block, 1, 3);
	REFUSED(WINDOW, PAGE_ADD_ZERO, 0, DEVICE, block, 1, 3);
	REFUSED(OWNER, PAGE_ADD_ZERO, 0, WINDOW + 100 * PAGE, vm[0].data, 1, 3);
	REFUSED(OWNER, PAGE_ADD_ZERO, 0, WINDOW + 100 * PAGE, ENGINE, 1, 3);
	REFUSED(OWNER, PAGE_ADD_ZERO, 0, WINDOW + MIB2, vm[0].data / MIB2 * MIB2, 512, 2);
	REFUSED(COUNT, PAGE_ADD_ZERO, 0, WINDOW + 500 * PAGE, block, 20, 3);
	REFUSED(LEVEL, PAGE_ADD_ZERO, 0, WINDOW + MIB2, block, 512, 1);
	victim_intact(0);
}
