/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU of the host reads a page without end while another donates it: the translation that it holds must go, before
 * the VM writes there. Page by page, and in a block of the host's that is whole at first.
 */
#include "vm.h"

static volatile uint64_t reads;

/* Until it faults; what it read before was the host's own. */
static uint64_t read_on(uint64_t address)
{
	uint64_t value = 0, esr;

	while ((esr = try_load(address, &value)) == 0) {
		CHECK_EQ(value, 0x600d);
		reads++;
	}
	return esr;
}

TEST(bad_host_stale_translation)
{
	uint64_t given = pages(8, MIB2);

	victim(0);
	for (uint64_t i = 0; i < 8; i++)
		store(given + i * PAGE, 0x600d);
	for (uint64_t i = 0; i < 8; i++) {
		reads = 0;
		on_cpu(1, read_on, given + i * PAGE);
		while (reads < 100)
			;
		CHECK_EQ(CALL(PAGE_ADD_ZERO, 0, WINDOW + (100 + i) * PAGE, given + i * PAGE, 1, 3),
			 NIE_OK);
		CHECK_EQ(wait_cpu(1) & 63, FSC_PERMISSION_3);
	}
	victim_intact(0);
}
