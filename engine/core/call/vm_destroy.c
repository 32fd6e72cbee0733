/* SPDX-License-Identifier: Apache-2.0 */
/* STOPPED => FREE, when only the root is left; root: TABLE => HOST, zeroed. spec/call/vm_destroy.v */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../prim.h"

/* A later VM of this index starts from nothing: no register, mark or hash of this one is left. */
static void clear_vm(uint32_t vm)
{
	vms[vm].root = 0;
	vms[vm].ram_base = 0;
	vms[vm].ram_pages = 0;
	vms[vm].cntvoff = 0;
	vms[vm].hashed = 0;
	for (uint32_t i = 0; i < 8; i++)
		vms[vm].hash[i] = 0;
	vms[vm].vcpus = 0;
	for (uint32_t i = 0; i < NIE_MAX_CPUS; i++)
		lasts[vm].vcpu[i] = 0;
	vms[vm].state = NIE_VM_FREE;
}

struct answer call_vm_destroy(uint64_t vm)
{
	uint32_t status = check_vm(vm, NIE_VM_STOPPED, NIE_VM_STOPPED);

	if (status != NIE_OK)
		return (struct answer){ status, 0, 0 };
	if (vms[vm].running != 0)
		return (struct answer){ NIE_E_BUSY, 0, 0 };
	if (vms[vm].granules != 1)
		return (struct answer){ NIE_E_NOT_EMPTY, 0, 0 };

	uint64_t root = vms[vm].root;

	/* The VMID will name another VM. */
	s2_flush((uint32_t)vm);
	give_back((uint32_t)vm, (struct pfn){ root });
	clear_vm((uint32_t)vm);
	return (struct answer){ NIE_OK, address_of(root), 0 };
}
