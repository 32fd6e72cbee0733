/* SPDX-License-Identifier: Apache-2.0 */
/* Indices outside the table say nothing of what lies behind it. */
#include "vm.h"

TEST(bad_vm_info_no_such_vm)
{
	victim(0);
	for (uint64_t i = 64; i != 0; i <<= 1) {
		struct answer a = hvc(NIE_VM_INFO, i, 2, 3, 4, 5, 6);

		CHECK_EQ(a.x[0], NIE_E_VM);
		CHECK_EQ(a.x[1], i);
		for (uint64_t k = 2; k < 7; k++)
			CHECK_EQ(a.x[k], k);
	}
	victim_intact(0);
}
