/* SPDX-License-Identifier: Apache-2.0 */
/* Eight vCPUs, turned on by the VM with entry and argument of its own choice. */
#include "vm.h"

TEST(good_vcpu_create)
{
	vm_start(0, 8, guest_two, 0);
	for (uint32_t k = 1; k < 8; k++)
		CHECK_EQ(CALL(VCPU_RUN, 0, k), NIE_E_VCPU_STATE);
	CHECK_EQ(enter(0, 0), NIE_EXIT_CPU_ON);
	CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 1);
	for (uint32_t n = 0; n < 5; n++) {
		CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0);
		CHECK_EQ(expect_report(0, 1, REPORT_VALUE), 1);
	}
	CHECK_EQ(CALL(VCPU_RUN, 0, 2), NIE_E_VCPU_STATE);
}
