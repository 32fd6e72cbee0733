/* SPDX-License-Identifier: Apache-2.0 */
/* Two VMs on two CPUs at once, thousands of times, changing places. */
#include "vm.h"

static uint64_t many(uint64_t first)
{
	for (uint32_t n = 0; n < 2000; n++)
		CHECK_EQ(expect_report((uint32_t)first, 0, REPORT_INTACT), 0);
	return 0;
}

TEST(good_vcpu_run_two_cpus)
{
	victim(0);
	victim(1);
	for (uint32_t n = 0; n < 2; n++) {
		on_cpu(1 + n, many, 0);
		on_cpu(2 + n, many, 1);
		CHECK_EQ(wait_cpu(1 + n), 0);
		CHECK_EQ(wait_cpu(2 + n), 0);
	}
}
