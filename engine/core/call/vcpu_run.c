/* SPDX-License-Identifier: Apache-2.0 */
/* READY => RUNNING(cpu). The run record is read once, then checked. spec/call/vcpu_run.v */
#include "../call.h"
#include "../checks.h"
#include "../prim.h"
#include "../world.h"

/* A list register that the host may load [GIC, 12.4.7]; 0 is an unused one. */
static bool lr_ok(uint64_t lr)
{
	uint64_t state = lr >> 62;
	uint64_t interrupt = lr & 0xffffffff;
	uint64_t physical = lr >> 32 & 0x1fff;
	bool hardware = (lr >> 61 & 1) != 0;

	if (state == 0)
		return lr == 0;
	if (interrupt >= 1020 || (lr >> 45 & 7) != 0 || (lr >> 56 & 15) != 0)
		return false;
	/* HW links to a physical interrupt: only the virtual timer's own. */
	if (hardware)
		return interrupt == 27 && physical == 27 && state != 3;
	return (physical & 0x1dff) == 0; /* bit 41: maintenance at end of interrupt */
}

static bool lr_same(uint64_t a, uint64_t b)
{
	return a != 0 && b != 0 && (a & 0xffffffff) == (b & 0xffffffff);
}

static bool all_lrs_ok(uint32_t cpu)
{
	for (uint32_t i = 0; i < NIE_LRS; i++) {
		if (!lr_ok(cpus[cpu].in[RUN_IN_LR0 + i]))
			return false;
		for (uint32_t j = 0; j < i; j++) {
			if (lr_same(cpus[cpu].in[RUN_IN_LR0 + i], cpus[cpu].in[RUN_IN_LR0 + j]))
				return false;
		}
	}
	return true;
}

static uint32_t check(uint64_t vm, uint64_t vcpu)
{
	uint32_t status = check_vm(vm, NIE_VM_ACTIVE, NIE_VM_ACTIVE);

	if (status != NIE_OK)
		return status;
	if (vcpu >= vms[vm].vcpus)
		return NIE_E_VCPU;
	if (vcpus[vm * NIE_MAX_VCPUS + vcpu].state == VCPU_RUNNING)
		return NIE_E_BUSY;
	if (vcpus[vm * NIE_MAX_VCPUS + vcpu].state != VCPU_READY)
		return NIE_E_VCPU_STATE;
	return NIE_OK;
}

uint64_t call_vcpu_run(uint32_t cpu, uint64_t vm, uint64_t vcpu)
{
	uint32_t status = check(vm, vcpu);

	if (status != NIE_OK)
		return status;

	struct pfn run = { vcpus[vm * NIE_MAX_VCPUS + vcpu].run };

	for (uint32_t i = 0; i < RUN_IN_END; i++) {
		uint64_t value = host_read(run, i);

		cpus[cpu].in[i] = value;
	}
	if (!all_lrs_ok(cpu))
		return NIE_E_LR;
	enter_vcpu(cpu, (uint32_t)vm, (uint32_t)vcpu);
	return NIE_OK;
}
