/* SPDX-License-Identifier: Apache-2.0 */
/* Two VMs built alike measure alike; one word makes the difference. */
#include "vm.h"

static void built(uint32_t i, uint64_t argument, uint64_t hash[4])
{
	vm_start(i, 1, guest_reader, argument);
	struct answer a = hvc(NIE_VM_INFO, i, 0, 0, 0, 0, 0);

	for (uint32_t k = 0; k < 4; k++)
		hash[k] = a.x[3 + k];
}

TEST(good_vm_activate)
{
	uint64_t first[4], second[4], third[4], differs = 0;

	built(0, 1, first);
	built(1, 1, second);
	built(2, 2, third);
	for (uint32_t k = 0; k < 4; k++) {
		CHECK_EQ(first[k], second[k]);
		CHECK(first[k] != 0);
		differs |= first[k] ^ third[k];
	}
	CHECK(differs != 0);
}
