/* SPDX-License-Identifier: Apache-2.0 */
/* The victim's index, or a page of it, of the engine or of a device as another VM's root. */
#include "vm.h"

TEST(bad_vm_create_over_victim)
{
	victim(0);
	REFUSED(VM_STATE, VM_CREATE, 0, page(), WINDOW, 16, 1);
	REFUSED(OWNER, VM_CREATE, 1, vm[0].root, WINDOW, 16, 1);
	REFUSED(OWNER, VM_CREATE, 1, vm[0].data, WINDOW, 16, 1);
	REFUSED(OWNER, VM_CREATE, 1, vm[0].context[0], WINDOW, 16, 1);
	REFUSED(OWNER, VM_CREATE, 1, vm[0].run[0], WINDOW, 16, 1);
	REFUSED(OWNER, VM_CREATE, 1, ENGINE, WINDOW, 16, 1);
	REFUSED(PA, VM_CREATE, 1, UART, WINDOW, 16, 1);
	REFUSED(PA, VM_CREATE, 1, 0, WINDOW, 16, 1);
	REFUSED(VM, VM_CREATE, 64, page(), WINDOW, 16, 1);
	REFUSED(WINDOW, VM_CREATE, 1, page(), SHARED, 16, 1);
	victim_intact(0);
}
