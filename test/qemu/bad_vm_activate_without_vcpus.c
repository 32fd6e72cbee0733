/* SPDX-License-Identifier: Apache-2.0 */
/* A VM with a vCPU missing, an active one, one that is not there. */
#include "vm.h"

TEST(bad_vm_activate_without_vcpus)
{
	victim(0);
	REFUSED(VM_STATE, VM_ACTIVATE, 0);
	REFUSED(VM_STATE, VM_ACTIVATE, 1);
	REFUSED(VM, VM_ACTIVATE, 64);
	vm_create(1, 2);
	vm_load(1);
	vm_vcpu(1, 1, guest_reader, 0);
	REFUSED(VCPU_STATE, VM_ACTIVATE, 1);
	REFUSED(VM_STATE, VCPU_RUN, 1, 0);
	victim_intact(0);
}
