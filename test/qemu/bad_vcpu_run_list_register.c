/* SPDX-License-Identifier: Apache-2.0 */
/* List registers that would reach the host's interrupts, or that the manual does not define. */
#include "vm.h"

TEST(bad_vcpu_run_list_register)
{
	const uint64_t pending = 1ULL << 62 | 1ULL << 60, hw = 1ULL << 61;
	const uint64_t bad[] = { 33,
				 pending | 1020,
				 pending | 8192,
				 pending | 33 | 1ULL << 45,
				 pending | 33 | 1ULL << 56,
				 pending | 33 | 33ULL << 32,
				 pending | hw | 33 | 33ULL << 32,
				 pending | hw | 27 | 30ULL << 32,
				 pending | hw | 30 | 27ULL << 32,
				 3ULL << 62 | hw | 27 | 27ULL << 32 };

	victim(0);
	for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		in(0, 0, RUN_IN_LR0 + i % NIE_LRS, bad[i]);
		REFUSED(LR, VCPU_RUN, 0, 0);
		in(0, 0, RUN_IN_LR0 + i % NIE_LRS, 0);
		victim_intact(0);
	}
	in(0, 0, RUN_IN_LR0, pending | 40);
	in(0, 0, RUN_IN_LR0 + 3, pending | 40);
	REFUSED(LR, VCPU_RUN, 0, 0);
	in(0, 0, RUN_IN_LR0, 0);
	in(0, 0, RUN_IN_LR0 + 3, 0);
	victim_intact(0);
}
