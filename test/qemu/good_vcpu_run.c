/* SPDX-License-Identifier: Apache-2.0 */
/* A VM runs, keeps its registers and memory over many exits, and on every CPU. */
#include "vm.h"

static uint64_t enter_there(uint64_t unused)
{
	(void)unused;
	return expect_report(0, 0, REPORT_INTACT);
}

TEST(good_vcpu_run)
{
	victim(0);
	for (uint32_t n = 0; n < 10; n++)
		victim_intact(0);
	for (uint32_t n = 0; n < 12; n++) {
		on_cpu(1 + n % 3, enter_there, 0);
		CHECK_EQ(wait_cpu(1 + n % 3), 0);
		victim_intact(0);
	}
	host_vectors(0);
	victim_intact(0);
	CHECK_EQ(host_vectors(1), 0);
}
