/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU behind the VM's back, or with pages that are not the host's. */
#include "vm.h"

TEST(bad_vcpu_create_on_active_vm)
{
	victim(0);
	REFUSED(VM_STATE, VCPU_CREATE, 0, 0, page(), page(), WINDOW, 0);
	REFUSED(VM_STATE, VCPU_CREATE, 0, 1, page(), page(), WINDOW, 0);
	vm_create(1, 2);
	REFUSED(OWNER, VCPU_CREATE, 1, 0, vm[0].context[0], page(), WINDOW, 0);
	REFUSED(OWNER, VCPU_CREATE, 1, 0, page(), vm[0].run[0], WINDOW, 0);
	REFUSED(OWNER, VCPU_CREATE, 1, 0, vm[0].data, page(), WINDOW, 0);
	REFUSED(OWNER, VCPU_CREATE, 1, 0, page(), vm[0].data, WINDOW, 0);
	REFUSED(OWNER, VCPU_CREATE, 1, 0, page(), ENGINE, WINDOW, 0);
	REFUSED(ALIAS, VCPU_CREATE, 1, 0, vm[0].data, vm[0].data, WINDOW, 0);
	REFUSED(VCPU, VCPU_CREATE, 1, 2, page(), page(), WINDOW, 0);
	REFUSED(WINDOW, VCPU_CREATE, 1, 0, page(), page(), WINDOW - 4, 0);
	victim_intact(0);
}
