/* SPDX-License-Identifier: Apache-2.0 */
/* A VM's software interrupts go to the host as they were asked for; none reaches a physical CPU. */
#include "vm.h"

enum { ISPENDR0 = GICR + 0x10200, SGIS = 0xffff };

TEST(good_vcpu_run_sgi)
{
	const uint64_t values[] = { 1, 1ULL << 24 | 2, 1ULL << 40 | 3ULL << 24 | 0xf,
				    0xffffffffffffffff };

	vm_start(0, 2, guest_sgi, 0);
	expect_report(0, 0, REPORT_READY);
	for (uint32_t n = 0; n < 4; n++) {
		in(0, 0, RUN_IN_X0, values[n]);
		CHECK_EQ(enter(0, 0), NIE_EXIT_SGI);
		CHECK_EQ(out(0, 0, RUN_OUT_VALUE), values[n]);
		for (uint32_t i = 0; i < 7; i++)
			CHECK_EQ(out(0, 0, RUN_OUT_X0 + i), 0);
		for (uint64_t cpu = 0; cpu < CPUS; cpu++)
			CHECK_EQ(*(volatile uint32_t *)(ISPENDR0 + 0x20000 * cpu) & SGIS, 0);
		CHECK_EQ(expect_report(0, 0, REPORT_DONE), values[n]);
	}
}
