/* SPDX-License-Identifier: Apache-2.0 */
/* One page at two IPAs, or in two VMs; two pages at one IPA. */
#include "vm.h"

TEST(bad_page_add_twice)
{
	const uint64_t ipa = WINDOW + 100 * PAGE;
	uint64_t given = page();

	victim(0);
	vm_create(1, 1);
	vm_create(2, 1);
	CHECK_EQ(CALL(PAGE_ADD, 1, ipa, given, 1), NIE_OK);
	REFUSED(OWNER, PAGE_ADD, 1, ipa + PAGE, given, 1);
	REFUSED(OWNER, PAGE_ADD, 2, ipa, given, 1);
	REFUSED(OWNER, PAGE_ADD_ZERO, 0, ipa, given, 1, 3);
	REFUSED(MAPPED, PAGE_ADD, 1, ipa, page(), 1);
	/* The victim is active: what it holds is measured and final. */
	REFUSED(VM_STATE, PAGE_ADD, 0, ipa, page(), 1);
	victim_intact(0);
}
