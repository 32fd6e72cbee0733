/* SPDX-License-Identifier: Apache-2.0 */
#include "../trap.h"
#include "../call.h"
#include "../core.h"
#include "../prim.h"
#include "../world.h"

uint32_t host_trap(uint32_t cpu, uint32_t kind)
{
	uint64_t esr = sysreg_read(REG_ESR_EL2);

	/* The host takes its interrupts itself; what comes here all the same is left to it. */
	if (kind != TRAP_SYNC)
		return TRAP_RESUME;
	switch (exception_class(esr)) {
	case EC_HVC64:
		host_call(cpu);
		return TRAP_RESUME;
	case EC_SMC64:
		skip_instruction();
		return host_smc(cpu);
	case EC_SYSREG:
		sysreg_trap(cpu, esr & 0x1ffffff);
		return TRAP_RESUME;
	case EC_INSTRUCTION_ABORT:
	case EC_DATA_ABORT:
		host_abort(cpu, esr);
		return TRAP_RESUME;
	default:
		inject_undefined();
		return TRAP_RESUME;
	}
}

static void vcpu_sync(uint32_t cpu)
{
	uint64_t esr = sysreg_read(REG_ESR_EL2);

	switch (exception_class(esr)) {
	case EC_WFX:
		skip_instruction();
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_WFI, 0, 0, 0 });
		return;
	case EC_SMC64:
		skip_instruction();
		vcpu_call(cpu);
		return;
	case EC_HVC64:
		vcpu_call(cpu);
		return;
	case EC_SYSREG:
		sysreg_trap(cpu, esr & 0x1ffffff);
		return;
	case EC_INSTRUCTION_ABORT:
	case EC_DATA_ABORT:
		vcpu_abort(cpu, esr);
		return;
	default:
		inject_undefined();
		return;
	}
}

void vcpu_trap(uint32_t cpu, uint32_t kind)
{
	if (kind == TRAP_SYNC)
		vcpu_sync(cpu);
	else if (kind == TRAP_SERROR)
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_SERROR, 0, 0, 0 });
	else
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_IRQ, 0, 0, 0 });
}

uint32_t trap(uint32_t cpu, uint32_t kind)
{
	uint32_t result = TRAP_RESUME;

	engine_lock();
	if (cpus[cpu].vm == CPU_HOST)
		result = host_trap(cpu, kind);
	else
		vcpu_trap(cpu, kind);
	engine_unlock();
	return result;
}
