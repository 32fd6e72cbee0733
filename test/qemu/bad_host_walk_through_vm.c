/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own translation tables name the victim's pages, and the engine's, as tables: the walker may not read them. */
#include "vm.h"

enum { SLOT = 8 };

TEST(bad_host_walk_through_vm)
{
	uint64_t value = 0;

	victim(0);
	const uint64_t t[] = { vm[0].data, vm[0].tables[0].pa, vm[0].root, ENGINE,
			       (uint64_t)RAM + RAM_BYTES };

	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		mmu_root[SLOT] = t[i] | 3;
		__asm__ volatile("dsb ish\n\ttlbi vmalle1\n\tdsb ish\n\tisb" : : : "memory");
		for (uint64_t at = 0; at < 1 << 30; at += 37 * MIB2) {
			uint64_t esr = try_load(((uint64_t)SLOT << 30) + at, &value);

			CHECK_EQ(esr >> 26, ESR_DATA_ABORT);
			CHECK_EQ(esr & 63, FSC_EXTERNAL);
			CHECK_EQ(value, 0);
		}
	}
	victim_intact(0);
}
