/* SPDX-License-Identifier: Apache-2.0 */
/* The host's SMCs: PSCI [DEN0022] and SMCCC [DEN0028] by an allow-list; all else is NOT_SUPPORTED. */
#include "../core.h"
#include "../prim.h"
#include "../psci.h"
#include "../trap.h"

static bool any_vm(void)
{
	for (uint32_t i = 0; i < NIE_MAX_VMS; i++) {
		if (vms[i].state != NIE_VM_FREE)
			return true;
	}
	return false;
}

static uint64_t host_cpu_on(uint64_t target, uint64_t entry, uint64_t argument)
{
	if (target >= config.word[MAN_CPUS])
		return PSCI_INVALID_PARAMETERS;
	if (cpus[target].started != 0)
		return PSCI_ALREADY_ON;
	cpus[target].entry = entry;
	cpus[target].argument = argument;
	cpus[target].started = 1;

	uint64_t answer = firmware_cpu_on((uint32_t)target);

	if (answer != PSCI_SUCCESS)
		cpus[target].started = 0;
	return answer;
}

static uint64_t host_features(uint64_t function)
{
	switch (function) {
	case PSCI_VERSION:
	case PSCI_FEATURES:
	case PSCI_CPU_ON:
	case PSCI_CPU_OFF:
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

/* Power off or reset would hand a VM's memory, unscrubbed, to whatever boots next. */
static uint64_t host_system(uint64_t function)
{
	if (any_vm())
		return PSCI_DENIED;

	uint64_t answer = firmware_call(function, 0, 0, 0);

	return answer;
}

static uint64_t host_smc_answer(uint32_t cpu)
{
	struct cpu *c = &cpus[cpu];

	switch (c->x[0] & 0xffffffff) {
	case PSCI_VERSION:
		return PSCI_1_1;
	case SMCCC_VERSION:
		return SMCCC_1_1;
	case PSCI_FEATURES:
		return host_features(smccc_argument(PSCI_FEATURES, c->x[1]));
	case PSCI_CPU_ON:
		return host_cpu_on(c->x[1], c->x[2], c->x[3]);
	case PSCI_AFFINITY_INFO:
		return firmware_call(PSCI_AFFINITY_INFO, c->x[1], c->x[2], 0);
	case PSCI_MIGRATE_INFO_TYPE:
		return PSCI_NO_TRUSTED_OS;
	case PSCI_SYSTEM_OFF:
		return host_system(PSCI_SYSTEM_OFF);
	case PSCI_SYSTEM_RESET:
		return host_system(PSCI_SYSTEM_RESET);
	default:
		return PSCI_NOT_SUPPORTED;
	}
}

uint32_t host_smc(uint32_t cpu)
{
	if ((cpus[cpu].x[0] & 0xffffffff) == PSCI_CPU_OFF) {
		cpus[cpu].started = 0;
		return TRAP_CPU_OFF;
	}

	uint64_t answer = host_smc_answer(cpu);

	cpus[cpu].x[0] = answer;
	return TRAP_RESUME;
}
