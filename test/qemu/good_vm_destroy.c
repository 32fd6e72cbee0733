/* SPDX-License-Identifier: Apache-2.0 */
/* Built, run and destroyed twenty times on the same pages: nothing is left over, nothing is lost. */
#include "vm.h"

TEST(good_vm_destroy)
{
	uint64_t root = page();

	for (uint32_t n = 0; n < 20; n++) {
		victim(3);
		victim_intact(3);
		vm_destroy(3);
		CHECK_EQ(CALL_X1(VM_INFO, 3), NIE_VM_FREE);
		CHECK_EQ(hvc(NIE_VM_INFO, 3, 0, 0, 0, 0, 0).x[2], 0);
		/* The pages are the host's again: they can become anything. */
		CHECK_EQ(CALL(VM_CREATE, 4, root, WINDOW, 16, 1), NIE_OK);
		CHECK_EQ(CALL(TABLE_ADD, 4, WINDOW, 2, vm[3].data), NIE_OK);
		CHECK_EQ(CALL(VM_STOP, 4), NIE_OK);
		CHECK_EQ(CALL_X1(TABLE_REMOVE, 4, WINDOW, 2), vm[3].data);
		CHECK_EQ(CALL_X1(VM_DESTROY, 4), root);
	}
}
