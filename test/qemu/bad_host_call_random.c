/* SPDX-License-Identifier: Apache-2.0 */
/* Every call with every status' kind of argument at random: the victim and the engine live on. */
#include "vm.h"

static uint64_t random = 12345;

static uint64_t next(void)
{
	random = random * 6364136223846793005ULL + 1442695040888963407ULL;
	return random >> 24;
}

/* An index, an address of the victim or the engine, a small number, or anything. */
static uint64_t argument(void)
{
	switch (next() % 6) {
	case 0:
		return next() % 4;
	case 1:
		return vm[0].code + (next() % 64) * PAGE;
	case 2:
		return WINDOW + (next() % 1024) * PAGE;
	case 3:
		return ENGINE + (next() % 512) * PAGE;
	case 4:
		return next() % 600;
	default:
		return next() << 20;
	}
}

TEST(bad_host_call_random)
{
	victim(0);
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t function = NIE_VM_CREATE + next() % (NIE_CALL_END - NIE_VM_CREATE);
		uint64_t target = next() % 2 == 0 ? 0 : 40 + next() % 40;

		/* What would be no attack, but the host's right: the victim's end, its pages, its turn. */
		if (target == 0 && (function == NIE_VM_STOP || function == NIE_PAGE_REMOVE ||
				    function == NIE_VCPU_RUN || function == NIE_TABLE_REMOVE))
			continue;
		/* What succeeds for another VM is undone below only if it is small: none is created. */
		if (function == NIE_VM_CREATE && target != 0)
			continue;
		/* A page or table for the victim is its gain; addresses of the host's own are not offered. */
		hvc(function, target, argument(), argument(), argument(), argument(), argument());
	}
	victim_intact(0);
}
