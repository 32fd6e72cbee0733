/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing changes: what the host did to the VM, and its measurement. spec/call/vm_info.v */
#include "../call.h"

void call_vm_info(uint32_t cpu)
{
	struct cpu *c = &cpus[cpu];
	uint64_t vm = c->x[1];

	if (vm >= NIE_MAX_VMS) {
		c->x[0] = NIE_E_VM;
		return;
	}
	c->x[0] = NIE_OK;
	c->x[1] = vms[vm].state | (uint64_t)vms[vm].running << 8;
	c->x[2] = vms[vm].granules;
	for (uint32_t i = 0; i < 4; i++)
		c->x[3 + i] = (uint64_t)vms[vm].hash[2 * i] << 32 | vms[vm].hash[2 * i + 1];
}
