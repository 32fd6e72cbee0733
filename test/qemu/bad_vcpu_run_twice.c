/* SPDX-License-Identifier: Apache-2.0 */
/* Two CPUs enter one vCPU: the second must wait for the first to leave. */
#include "vm.h"

static uint64_t racing(uint64_t unused)
{
	uint64_t busy = 0;

	(void)unused;
	for (uint32_t n = 0; n < 3000; n++) {
		uint64_t status = CALL(VCPU_RUN, 0, 0);

		if (status == NIE_E_BUSY)
			busy++;
		else
			CHECK_EQ(status, NIE_OK);
		acknowledge();
	}
	return busy;
}

TEST(bad_vcpu_run_twice)
{
	victim(0);
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		on_cpu(cpu, racing, 0);
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		wait_cpu(cpu);
	victim_intact(0);
	busy_vm(1);
	run_on(1, 1);
	REFUSED(BUSY, VCPU_RUN, 1, 0);
	kick(1);
	CHECK_EQ(wait_cpu(1), NIE_EXIT_IRQ);
	victim_intact(0);
}
