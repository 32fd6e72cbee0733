/* SPDX-License-Identifier: Apache-2.0 */
/* Any state but FREE => STOPPED: no vCPU enters any more; those that run leave by the host's kick. spec/call/vm_stop.v */
#include "../call.h"
#include "../checks.h"

uint64_t call_vm_stop(uint64_t vm)
{
	if (vm >= NIE_MAX_VMS)
		return NIE_E_VM;
	if (vms[vm].state == NIE_VM_FREE)
		return NIE_E_VM_STATE;
	vms[vm].state = NIE_VM_STOPPED;
	return NIE_OK;
}
