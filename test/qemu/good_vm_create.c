/* SPDX-License-Identifier: Apache-2.0 */
/* All 64 VMs at once, each with its root; the tables start empty and are the engine's. */
#include "vm.h"

TEST(good_vm_create)
{
	uint64_t roots = pages(NIE_MAX_VMS, PAGE);

	for (uint64_t i = 0; i < NIE_MAX_VMS; i++) {
		CHECK_EQ(CALL(VM_CREATE, i, roots + i * PAGE, WINDOW, 16, 1), NIE_OK);
		check_forbidden(roots + i * PAGE);
	}
	for (uint64_t i = 0; i < NIE_MAX_VMS; i++) {
		CHECK_EQ(CALL(VM_STOP, i), NIE_OK);
		CHECK_EQ(CALL_X1(VM_DESTROY, i), roots + i * PAGE);
		CHECK(is_zero(roots + i * PAGE));
	}
}
