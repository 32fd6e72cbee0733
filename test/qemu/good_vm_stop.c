/* SPDX-License-Identifier: Apache-2.0 */
/* A VM is stopped while it runs on another CPU: it leaves by the host's interrupt and enters no more. */
#include "vm.h"

TEST(good_vm_stop)
{
	busy_vm(0);
	run_on(1, 0);
	CHECK_EQ(CALL(VM_STOP, 0), NIE_OK);
	delay(1000);
	CHECK_EQ(CALL_X1(VM_INFO, 0), NIE_VM_STOPPED | 1 << 8);
	kick(1);
	CHECK_EQ(wait_cpu(1), NIE_EXIT_IRQ);
	CHECK_EQ(CALL(VCPU_RUN, 0, 0), NIE_E_VM_STATE);
	CHECK_EQ(CALL(VM_STOP, 0), NIE_OK);
}
