/* SPDX-License-Identifier: Apache-2.0 */
/* A stopped VM's memory is as closed as before, and nothing can be added to it. */
#include "vm.h"

TEST(bad_vm_stop_and_read)
{
	REFUSED(VM, VM_STOP, 64);
	REFUSED(VM_STATE, VM_STOP, 5);
	victim(0);
	victim(1);
	CHECK_EQ(CALL(VM_STOP, 0), NIE_OK);
	check_forbidden(vm[0].data);
	check_forbidden(vm[0].context[0]);
	REFUSED(VM_STATE, VCPU_RUN, 0, 0);
	REFUSED(VM_STATE, PAGE_ADD_ZERO, 0, WINDOW + 100 * PAGE, page(), 1, 3);
	REFUSED(VM_STATE, PAGE_ADD, 0, WINDOW + 100 * PAGE, page(), 1);
	REFUSED(VM_STATE, VM_ACTIVATE, 0);
	/* Its pages cannot go to the other VM before they are taken back. */
	REFUSED(OWNER, PAGE_ADD_ZERO, 1, WINDOW + 100 * PAGE, vm[0].data, 1, 3);
	victim_intact(1);
}
