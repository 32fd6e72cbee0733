/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that are none: before and after the list, of VMs, of firmware, and many at random. */
#include "vm.h"

TEST(bad_host_call_unknown)
{
	const uint64_t first = NIE_VERSION, end = NIE_CALL_END;
	uint64_t random = 1;

	victim(0);
	CHECK_EQ(hvc(first - 1, 0, 0, 0, 0, 0, 0).x[0], NIE_E_CALL);
	CHECK_EQ(hvc(end, 0, 0, 0, 0, 0, 0).x[0], NIE_E_CALL);
	CHECK_EQ(hvc(NIE_VM_PAGE_REOPEN, 0, 0, 0, 0, 0, 0).x[0], NIE_E_CALL);
	CHECK_EQ(hvc(0x84000009, 0, 0, 0, 0, 0, 0).x[0], NIE_E_CALL);
	for (uint32_t i = 0; i < 1000; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		uint64_t function = random >> 16 & 0xffffffff;

		if (function < first || function >= end)
			CHECK_EQ(hvc(function, random, random, random, random, random, random).x[0],
				 NIE_E_CALL);
	}
	victim_intact(0);
}
