/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own block is split by a donation while its other CPUs use the rest of it: they notice nothing. */
#include "vm.h"

static volatile uint64_t stop, rounds[CPUS];

static uint64_t use(uint64_t from)
{
	uint64_t cpu = from % MIB2 / (128 * PAGE);

	while (stop == 0) {
		rounds[cpu]++;
		for (uint64_t at = from; at < from + 64 * PAGE; at += 512)
			store(at, at + rounds[cpu]);
		for (uint64_t at = from; at < from + 64 * PAGE; at += 512)
			CHECK_EQ(load(at), at + rounds[cpu]);
	}
	return 0;
}

static void all_go_on(void)
{
	for (uint32_t cpu = 1; cpu < CPUS; cpu++) {
		uint64_t now = rounds[cpu];

		while (rounds[cpu] < now + 2)
			;
	}
}

TEST(good_table_add_host_split_under_load)
{
	for (uint32_t round = 0; round < 8; round++) {
		uint64_t block = pages(512, MIB2);

		stop = 0;
		for (uint32_t cpu = 1; cpu < CPUS; cpu++)
			on_cpu(cpu, use, block + cpu * 128 * PAGE);
		all_go_on();
		CHECK_EQ(CALL(VM_CREATE, round, block, WINDOW, 16, 1), NIE_OK);
		all_go_on();
		stop = 1;
		for (uint32_t cpu = 1; cpu < CPUS; cpu++)
			wait_cpu(cpu);
		check_forbidden(block);
		vm[round].root = block;
		vm[round].vcpus = 1;
	}
}
