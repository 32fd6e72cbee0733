/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context: HOST => VCPU(vm, vcpu); run: HOST => RUN(vm, vcpu). Before activation. vCPU 0 is READY, the others
 * OFF until the VM turns them on. spec/call/vcpu_create.v
 */
#include "../call.h"
#include "../checks.h"
#include "../context.h"
#include "../donate.h"
#include "../measure.h"

static uint32_t check(uint64_t vm, uint64_t vcpu, uint64_t context, uint64_t run, uint64_t entry)
{
	uint32_t status = check_vm(vm, NIE_VM_BUILDING, NIE_VM_BUILDING);

	if (status != NIE_OK)
		return status;
	if (vcpu >= vms[vm].vcpus)
		return NIE_E_VCPU;
	if (vcpus[vm * NIE_MAX_VCPUS + vcpu].state != VCPU_NONE)
		return NIE_E_VCPU_STATE;
	status = check_window((uint32_t)vm, page_of(entry), 1);
	if (status != NIE_OK)
		return status;
	if (context == run)
		return NIE_E_ALIAS;
	status = check_donation(context, 1);
	if (status != NIE_OK)
		return status;
	return check_donation(run, 1);
}

uint64_t call_vcpu_create(uint64_t vm, uint64_t vcpu, uint64_t context, uint64_t run,
			  uint64_t entry, uint64_t argument)
{
	uint32_t status = check(vm, vcpu, context, run, entry);

	if (status != NIE_OK)
		return status;

	uint32_t i = (uint32_t)vm;
	uint32_t k = (uint32_t)vcpu;
	struct vcpu *v = &vcpus[i * NIE_MAX_VCPUS + k];

	donate(i, (struct pfn){ page_of(context) }, 1,
	       (struct granule){ GRANULE_VCPU, (uint8_t)i, 0, 0, k });
	donate(i, (struct pfn){ page_of(run) }, 1,
	       (struct granule){ GRANULE_RUN, (uint8_t)i, 0, 0, k });
	v->context = page_of(context);
	v->run = page_of(run);
	context_reset(i, k, entry, argument);
	v->state = k == 0 ? VCPU_READY : VCPU_OFF;
	vms[i].created = vms[i].created + 1;
	measure_record(i, MEASURE_VCPU, vcpu, entry, argument);
	return NIE_OK;
}
