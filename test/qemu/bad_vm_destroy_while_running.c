/* SPDX-License-Identifier: Apache-2.0 */
/* Destroyed while a vCPU runs, while it has pages, before it is stopped. */
#include "vm.h"

TEST(bad_vm_destroy_while_running)
{
	victim(0);
	REFUSED(VM_STATE, VM_DESTROY, 0);
	REFUSED(VM_STATE, VM_DESTROY, 2);
	REFUSED(VM, VM_DESTROY, 64);
	busy_vm(1);
	run_on(2, 1);
	CHECK_EQ(CALL(VM_STOP, 1), NIE_OK);
	REFUSED(BUSY, VM_DESTROY, 1);
	kick(2);
	CHECK_EQ(wait_cpu(2), NIE_EXIT_IRQ);
	REFUSED(NOT_EMPTY, VM_DESTROY, 1);
	victim_intact(0);
}
