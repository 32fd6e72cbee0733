/* SPDX-License-Identifier: Apache-2.0 */
/* Calls with random arguments on all CPUs at once, most of them nearly right: victim and engine live on. */
#include "vm.h"

enum { CALLS = 4000 };

static uint64_t next(uint64_t *random)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return *random >> 24;
}

/* An index, an address of the victim's or the engine's, an IPA, a small number, or anything beyond RAM. */
static uint64_t argument(uint64_t *random)
{
	const uint64_t owned[] = { vm[0].code,       vm[0].stacks,       vm[0].data,   vm[0].root,
				   vm[0].context[0], vm[0].tables[1].pa, vm[0].run[0], ENGINE };

	switch (next(random) % 6) {
	case 0:
		return next(random) % 4;
	case 1:
		return owned[next(random) % 8];
	case 2:
		return WINDOW + (next(random) % 1024) * PAGE;
	case 3:
		return ENGINE + (next(random) % 512) * PAGE;
	case 4:
		return next(random) % 600;
	default:
		return next(random) << 32;
	}
}

static uint64_t attack(uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15ULL, accepted = 0;

	for (uint32_t i = 0; i < CALLS; i++) {
		uint64_t function = NIE_VM_CREATE + next(&random) % (NIE_CALL_END - NIE_VM_CREATE);
		uint64_t target = next(&random) % 2 == 0 ? 0 : next(&random) % 80;
		uint64_t a = argument(&random), b = argument(&random), c = argument(&random);
		uint64_t d = argument(&random), e = argument(&random);

		/* The host's right, and no attack: to end the victim, to take its pages, to let it run. */
		if (target == 0 && (function == NIE_VM_STOP || function == NIE_PAGE_REMOVE ||
				    function == NIE_VCPU_RUN || function == NIE_TABLE_REMOVE))
			continue;
		accepted += hvc(function, target, a, b, c, d, e).x[0] == NIE_OK;
	}
	return accepted;
}

TEST(bad_host_call_random)
{
	victim(0);
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		on_cpu(cpu, attack, cpu);
	for (uint32_t n = 0; n < 200; n++)
		victim_intact(0);
	/* Nothing that was offered is the host's, so nothing was taken. */
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		CHECK_EQ(wait_cpu(cpu), 0);
	victim_intact(0);
}
