/* SPDX-License-Identifier: Apache-2.0 */
/* context: VCPU => HOST, zeroed; run: RUN => HOST. Of a stopped VM. spec/call/vcpu_destroy.v */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"

static uint32_t check(uint64_t vm, uint64_t vcpu)
{
	uint32_t status = check_vm(vm, NIE_VM_STOPPED, NIE_VM_STOPPED);

	if (status != NIE_OK)
		return status;
	if (vcpu >= vms[vm].vcpus)
		return NIE_E_VCPU;
	if (vcpus[vm * NIE_MAX_VCPUS + vcpu].state == VCPU_NONE)
		return NIE_E_VCPU_STATE;
	if (vcpus[vm * NIE_MAX_VCPUS + vcpu].state == VCPU_RUNNING)
		return NIE_E_BUSY;
	return NIE_OK;
}

struct answer call_vcpu_destroy(uint64_t vm, uint64_t vcpu)
{
	uint32_t status = check(vm, vcpu);

	if (status != NIE_OK)
		return (struct answer){ status, 0, 0 };

	struct vcpu *v = &vcpus[vm * NIE_MAX_VCPUS + vcpu];
	struct answer a = { NIE_OK, address_of(v->context), address_of(v->run) };

	give_back((uint32_t)vm, (struct pfn){ v->context });
	release((uint32_t)vm, (struct pfn){ v->run });
	v->context = 0;
	v->run = 0;
	v->cpu = 0;
	v->pending = PENDING_NONE;
	v->syndrome = 0;
	v->state = VCPU_NONE;
	vms[vm].created = vms[vm].created - 1;
	return a;
}
