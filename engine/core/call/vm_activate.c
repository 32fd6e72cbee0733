/* SPDX-License-Identifier: Apache-2.0 */
/* BUILDING => ACTIVE, when all its vCPUs exist; the measurement is final. spec/call/vm_activate.v */
#include "../call.h"
#include "../checks.h"
#include "../measure.h"

uint64_t call_vm_activate(uint64_t vm)
{
	uint32_t status = check_vm(vm, NIE_VM_BUILDING, NIE_VM_BUILDING);

	if (status != NIE_OK)
		return status;
	if (vms[vm].created != vms[vm].vcpus)
		return NIE_E_VCPU_STATE;
	measure_finish((uint32_t)vm);
	vms[vm].state = NIE_VM_ACTIVE;
	return NIE_OK;
}
