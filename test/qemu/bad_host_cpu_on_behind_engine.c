/* SPDX-License-Identifier: Apache-2.0 */
/* A CPU started where EL2 would begin, twice, or that does not exist; it begins at EL1 under the engine. */
#include "vm.h"

enum { CPU_ON = 0xc4000003, CPU_OFF = 0x84000002, ALREADY_ON = -4, INVALID = -2 };

static uint64_t level(uint64_t unused)
{
	uint64_t value;

	(void)unused;
	__asm__ volatile("mrs %0, CurrentEL" : "=r"(value));
	check_forbidden(vm[0].data);
	return value >> 2;
}

TEST(bad_host_cpu_on_behind_engine)
{
	victim(0);
	CHECK_EQ(smc(CPU_ON, 0, vm[0].data, 0), ALREADY_ON);
	CHECK_EQ(smc(CPU_ON, CPUS, ENGINE, 0), INVALID);
	CHECK_EQ(smc(CPU_ON, 1ULL << 32, ENGINE, 0), INVALID);
	CHECK_EQ(smc(CPU_ON, 0x80000001, ENGINE, 0), INVALID);
	on_cpu(1, level, 0);
	CHECK_EQ(wait_cpu(1), 1);
	CHECK_EQ(smc(CPU_ON, 1, ENGINE, 0), ALREADY_ON);
	/* Into the engine and into the victim: it gets an abort at EL1 and stays there, harmless. */
	CHECK_EQ(smc(CPU_ON, 2, ENGINE, 0), 0);
	CHECK_EQ(smc(CPU_ON, 3, vm[0].code, 0), 0);
	delay(5000);
	victim_intact(0);
}
