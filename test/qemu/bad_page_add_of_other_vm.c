/* SPDX-License-Identifier: Apache-2.0 */
/* The victim's pages, of every kind, into another VM; and the engine's. */
#include "vm.h"

TEST(bad_page_add_of_other_vm)
{
	const uint64_t ipa = WINDOW + 100 * PAGE;

	victim(0);
	vm_create(1, 1);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[0].code, 1);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[0].data, 1);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[0].stacks, 8);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[0].root, 1);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[0].tables[1].pa, 1);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[0].context[0], 1);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, ENGINE, 1);
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[1].root, 1);
	/* One page of the host's, the next the victim's. */
	REFUSED(OWNER, PAGE_ADD, 1, ipa, vm[0].data - PAGE, 2);
	REFUSED(PA, PAGE_ADD, 1, ipa, (uint64_t)RAM + RAM_BYTES, 1);
	REFUSED(PA, PAGE_ADD, 1, ipa, GICR, 1);
	victim_intact(0);
}
