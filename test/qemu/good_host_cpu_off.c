/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs of the host go off and on again, between them a VM moves from one to the other. */
#include "vm.h"

enum { CPU_ON = 0xc4000003, CPU_OFF = 0x84000002, AFFINITY_INFO = 0xc4000004 };

static uint64_t off(uint64_t unused)
{
	(void)unused;
	CHECK_EQ(expect_report(0, 0, REPORT_INTACT), 0);
	smc(CPU_OFF, 0, 0, 0);
	return 0;
}

TEST(good_host_cpu_off)
{
	victim(0);
	for (uint32_t n = 0; n < 6; n++) {
		uint32_t cpu = 1 + n % 3;

		on_cpu(cpu, off, 0);
		while (smc(AFFINITY_INFO, cpu, 0, 0) != 1)
			;
		cpu_gone(cpu);
		victim_intact(0);
	}
}
