/* SPDX-License-Identifier: Apache-2.0 */
/* vCPUs that are off, that do not exist, of VMs that do not exist or are not active. */
#include "vm.h"

TEST(bad_vcpu_run_of_other)
{
	victim(0);
	REFUSED(VM, VCPU_RUN, 64, 0);
	REFUSED(VM, VCPU_RUN, 1ULL << 32, 0);
	REFUSED(VM_STATE, VCPU_RUN, 1, 0);
	REFUSED(VCPU, VCPU_RUN, 0, 1);
	REFUSED(VCPU, VCPU_RUN, 0, 1ULL << 32);
	vm_start(1, 2, guest_two, 0);
	REFUSED(VCPU_STATE, VCPU_RUN, 1, 1);
	victim_intact(0);
}
