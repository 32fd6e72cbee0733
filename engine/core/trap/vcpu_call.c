/* SPDX-License-Identifier: Apache-2.0 */
/* What a VM asks for by HVC or SMC: the engine's own calls, PSCI, and nothing else. */
#include "../context.h"
#include "../granule.h"
#include "../prim.h"
#include "../psci.h"
#include "../stage2.h"
#include "../trap.h"
#include "../world.h"

/* PSCI CPU_ON: OFF => READY, from the caller's arguments only. */
static void vcpu_on(uint32_t cpu, uint64_t function)
{
	struct cpu *c = &cpus[cpu];
	uint32_t vm = c->vm;
	uint64_t target = smccc_argument(function, c->x[1]);
	uint64_t entry = smccc_argument(function, c->x[2]);
	uint64_t argument = smccc_argument(function, c->x[3]);

	if (target >= vms[vm].vcpus) {
		c->x[0] = PSCI_INVALID_PARAMETERS;
	} else if (vcpus[vm * NIE_MAX_VCPUS + target].state != VCPU_OFF) {
		c->x[0] = PSCI_ALREADY_ON;
	} else if (page_of(entry) - vms[vm].ram_base >= vms[vm].ram_pages) {
		c->x[0] = PSCI_INVALID_ADDRESS;
	} else {
		context_reset(vm, (uint32_t)target, entry, argument);
		vcpus[vm * NIE_MAX_VCPUS + target].state = VCPU_READY;
		/* What the vCPU cached before it was turned off must not be used after it [DEN0022, 6.4]. */
		s2_flush(vm);
		ic_invalidate();
		c->x[0] = PSCI_SUCCESS;
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_CPU_ON, 0, 0, target });
	}
}

static uint64_t affinity_info(uint32_t vm, uint64_t target, uint64_t level)
{
	if (target >= vms[vm].vcpus || level != 0)
		return PSCI_INVALID_PARAMETERS;
	if (vcpus[vm * NIE_MAX_VCPUS + target].state == VCPU_OFF)
		return PSCI_AFFINITY_OFF;
	return PSCI_AFFINITY_ON;
}

static uint64_t vcpu_features(uint64_t function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_FEATURES:
	case PSCI_CPU_SUSPEND_32:
	case PSCI_CPU_SUSPEND:
	case PSCI_CPU_OFF:
	case PSCI_CPU_ON_32:
	case PSCI_CPU_ON:
	case PSCI_AFFINITY_INFO_32:
	case PSCI_AFFINITY_INFO:
	case PSCI_MIGRATE_INFO_TYPE:
	case PSCI_SYSTEM_OFF:
	case PSCI_SYSTEM_RESET:
	case SMCCC_VERSION:
		return PSCI_SUCCESS;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

/* Spent => Empty, by the VM's own wish: what comes there next is a zero page. */
static uint64_t page_reopen(uint32_t vm, uint64_t ipa)
{
	if (!aligned(ipa, 1))
		return NIE_E_ALIGN;
	if (ipa >> NIE_IPA_BITS != 0)
		return NIE_E_IPA;

	struct walk w = s2_walk(vm, (struct ifn){ page_of(ipa) }, LEVEL_PAGE);

	if (w.level != LEVEL_PAGE || w.desc != DESC_SPENT)
		return NIE_E_NOT_SPENT;
	s2_write(w, DESC_EMPTY);
	return NIE_OK;
}

static void system_end(uint32_t cpu, uint64_t reason)
{
	vms[cpus[cpu].vm].state = NIE_VM_STOPPED;
	exit_vcpu(cpu, (struct exit){ reason, 0, 0, 0 });
}

/* Calls that end in an exit to the host; false when the function is none of them. */
static bool vcpu_call_exits(uint32_t cpu, uint64_t function)
{
	switch (function) {
	case PSCI_CPU_ON_32:
	case PSCI_CPU_ON:
		vcpu_on(cpu, function);
		return true;
	case PSCI_CPU_OFF:
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_CPU_OFF, 0, 0, 0 });
		return true;
	case PSCI_CPU_SUSPEND_32:
	case PSCI_CPU_SUSPEND:
		cpus[cpu].x[0] = PSCI_SUCCESS;
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_WFI, 0, 0, 0 });
		return true;
	case PSCI_SYSTEM_OFF:
		system_end(cpu, NIE_EXIT_SYSTEM_OFF);
		return true;
	case PSCI_SYSTEM_RESET:
		system_end(cpu, NIE_EXIT_SYSTEM_RESET);
		return true;
	case NIE_VM_HOST_CALL:
		vcpus[cpus[cpu].vm * NIE_MAX_VCPUS + cpus[cpu].vcpu].pending = PENDING_CALL;
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_HOST_CALL, 0, 0, 0 });
		return true;
	default:
		return false;
	}
}

uint64_t fixed_answer(uint64_t function)
{
	switch (function) {
	case NIE_VM_VERSION:
		return NIE_ABI_VERSION;
	case PSCI_VERSION:
		return PSCI_1_1;
	case SMCCC_VERSION:
		return SMCCC_1_1;
	default:
		return 0;
	}
}

static uint64_t vcpu_call_answer(uint32_t vm, uint64_t function, uint64_t x1, uint64_t x2)
{
	switch (function) {
	case NIE_VM_PAGE_REOPEN:
		return page_reopen(vm, x1);
	case PSCI_FEATURES:
		return vcpu_features(x1);
	case PSCI_AFFINITY_INFO_32:
	case PSCI_AFFINITY_INFO:
		return affinity_info(vm, x1, x2);
	case PSCI_MIGRATE_INFO_TYPE:
		return PSCI_NO_TRUSTED_OS;
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

void vcpu_call(uint32_t cpu)
{
	/* Functions are 32 bits wide; the upper half of x0 is ignored [DEN0028, 2.5]. */
	uint64_t function = cpus[cpu].x[0] & 0xffffffff;
	uint64_t answer = 0;

	if (vcpu_call_exits(cpu, function))
		return;
	answer = fixed_answer(function);
	if (answer == 0)
		answer = vcpu_call_answer(cpus[cpu].vm, function,
					  smccc_argument(function, cpus[cpu].x[1]),
					  smccc_argument(function, cpus[cpu].x[2]));
	cpus[cpu].x[0] = answer;
}
