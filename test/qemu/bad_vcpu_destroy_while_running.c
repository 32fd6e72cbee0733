/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU is destroyed while it runs on another CPU: its registers are in that CPU. */
#include "vm.h"

TEST(bad_vcpu_destroy_while_running)
{
	victim(0);
	REFUSED(VM_STATE, VCPU_DESTROY, 0, 0);
	busy_vm(1);
	run_on(1, 1);
	REFUSED(VM_STATE, VCPU_DESTROY, 1, 0);
	CHECK_EQ(CALL(VM_STOP, 1), NIE_OK);
	REFUSED(BUSY, VCPU_DESTROY, 1, 0);
	check_forbidden(vm[1].context[0]);
	kick(1);
	CHECK_EQ(wait_cpu(1), NIE_EXIT_IRQ);
	REFUSED(VCPU, VCPU_DESTROY, 1, 1);
	victim_intact(0);
}
