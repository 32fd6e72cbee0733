/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions from the host and from vCPUs, by class. */
#ifndef NIE_TRAP_H
#define NIE_TRAP_H

#include "state.h"

/* ESR_EL2.EC [ArmARM, D19.2.40]. */
enum exception_class {
	EC_WFX = 0x01,
	EC_HVC64 = 0x16,
	EC_SMC64 = 0x17,
	EC_SYSREG = 0x18,
	EC_INSTRUCTION_ABORT = 0x20,
	EC_DATA_ABORT = 0x24,
};

enum syndrome {
	ESR_IL = 1 << 25,
	FSC_TYPE = 0x3c,        /* fault status without its level */
	FSC_TRANSLATION = 0x04,
	FSC_PERMISSION_3 = 0x0f,
	FSC_EXTERNAL = 0x10,    /* synchronous external abort, not on a walk */
};

static inline uint32_t exception_class(uint64_t esr)
{
	return (uint32_t)(esr >> 26) & 63;
}

/* An argument of a call: those of the 32-bit functions are 32 bits wide [DEN0028, 3.1]. */
static inline uint64_t smccc_argument(uint64_t function, uint64_t x)
{
	return (function >> 30 & 1) != 0 ? x : x & 0xffffffff;
}

/* IPA page of a stage 2 translation fault; FAR_EL2 gives the offset in it. */
static inline uint64_t fault_page(uint64_t hpfar)
{
	return (hpfar >> 4) & 0xfffffffffffULL;
}

/* One exception of the host; returns enum trap_result. */
uint32_t host_trap(uint32_t cpu, uint32_t kind);
void host_abort(uint32_t cpu, uint64_t esr);
/* SMC of the host: PSCI and SMCCC, filtered; returns enum trap_result. */
uint32_t host_smc(uint32_t cpu);

/* One exception of the vCPU that runs on `cpu`. */
void vcpu_trap(uint32_t cpu, uint32_t kind);
void vcpu_abort(uint32_t cpu, uint64_t esr);
/* HVC or SMC of a vCPU, ELR_EL2 at the next instruction: its own calls, PSCI. */
void vcpu_call(uint32_t cpu);
/* What a vCPU's call of this function answers whatever the state; 0: not such a function. */
uint64_t fixed_answer(uint64_t function);

/* A trapped system register of the host or a vCPU: emulated, absent, or handed to the host. */
void sysreg_trap(uint32_t cpu, uint64_t iss);
/* What an identification register of op0 3, op1 0, CRn 0 reads as: only features that are switched. */
uint64_t id_register(uint32_t crm, uint32_t op2);

#endif
