/* SPDX-License-Identifier: Apache-2.0 */
/* State, running vCPUs and pages of a VM through its life. */
#include "vm.h"

TEST(good_vm_info)
{
	CHECK_EQ(CALL_X1(VM_INFO, 0), NIE_VM_FREE);
	vm_start(0, 1, guest_interrupted, 0);
	expect_report(0, 0, REPORT_READY);
	CHECK_EQ(CALL_X1(VM_INFO, 0), NIE_VM_ACTIVE);
	uint64_t granules = hvc(NIE_VM_INFO, 0, 0, 0, 0, 0, 0).x[2];

	/* Root, four tables, code, eight stacks, data, context, record. */
	CHECK_EQ(granules, 5 + GUEST_BYTES / PAGE + 8 + DATA_PAGES + 2);
	busy_vm(1);
	run_on(1, 1);
	CHECK_EQ(CALL_X1(VM_INFO, 1), NIE_VM_ACTIVE | 1 << 8);
	kick(1);
	CHECK_EQ(wait_cpu(1), NIE_EXIT_IRQ);
	CHECK_EQ(CALL_X1(VM_INFO, 1), NIE_VM_ACTIVE);
	CHECK_EQ(CALL(VM_STOP, 0), NIE_OK);
	CHECK_EQ(CALL_X1(VM_INFO, 0), NIE_VM_STOPPED);
}
