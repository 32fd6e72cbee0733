/* SPDX-License-Identifier: Apache-2.0 */
/* VERSION answers, and no call touches a register that carries no result. */
#include "vm.h"

TEST(good_host_call)
{
	struct answer a = hvc(NIE_VERSION, 1, 2, 3, 4, 5, 6);

	CHECK_EQ(a.x[0], NIE_OK);
	CHECK_EQ(a.x[1], NIE_ABI_VERSION);
	CHECK_EQ(a.x[2], 0);
	for (uint64_t i = 3; i < 7; i++)
		CHECK_EQ(a.x[i], i);
	a = hvc(NIE_VM_STOP, 1, 2, 3, 4, 5, 6);
	CHECK_EQ(a.x[0], NIE_E_VM_STATE);
	for (uint64_t i = 1; i < 7; i++)
		CHECK_EQ(a.x[i], i);
}
