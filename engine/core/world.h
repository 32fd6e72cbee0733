/* SPDX-License-Identifier: Apache-2.0 */
/* The world switch: which registers belong to a context, and which constants surround it. */
#ifndef NIE_WORLD_H
#define NIE_WORLD_H

#include "state.h"

/* HCR_EL2 [ArmARM, D19.2.48]; what is not named is 0: hidden features stay trapped. */
enum hcr {
	HCR_VM = 1 << 0,
	HCR_SWIO = 1 << 1, /* set/way invalidation also cleans */
	HCR_PTW = 1 << 2,  /* a table walk to Device memory faults */
	HCR_FMO = 1 << 3,
	HCR_IMO = 1 << 4,
	HCR_AMO = 1 << 5,
	HCR_FB = 1 << 9, /* a VM's local TLB maintenance is broadcast: its vCPUs migrate */
	HCR_BSU_INNER = 1 << 10,
	HCR_TWI = 1 << 13,
	HCR_TID3 = 1 << 18,
	HCR_TSC = 1 << 19,
	HCR_TIDCP = 1 << 20,
	HCR_TACR = 1 << 21,
	HCR_TSW = 1 << 22,
	HCR_RW = 1ULL << 31,
	HCR_TLOR = 1ULL << 35,
	HCR_TERR = 1ULL << 36,

	HCR_BOTH = HCR_VM | HCR_SWIO | HCR_PTW | HCR_TID3 | HCR_TSC | HCR_TIDCP | HCR_TACR |
		   HCR_TSW | HCR_RW | HCR_TLOR | HCR_TERR,
	HCR_HOST = HCR_BOTH,
	HCR_GUEST = HCR_BOTH | HCR_FMO | HCR_IMO | HCR_AMO | HCR_FB | HCR_BSU_INNER | HCR_TWI,
};

enum control {
	/* RES1, and traps of trace (TTA), AMU (TAM), SVE (TZ) and SME (TSM); FP is not trapped. */
	CPTR_BOTH = 0x33ff | 1 << 20 | 1 << 30,
	/* Traps of PMU (TPMCR, TPM), SPE (TPMS), trace filter (TTRF), debug (TDA, TDOSA, TDRA). */
	MDCR_BOTH = 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 19,
	MDCR_HPMN = 0x1f,
	/* EL1 may read the physical counter; only the host may use the physical timer. */
	CNTHCTL_HOST = 3,
	CNTHCTL_GUEST = 1,
	/* T0SZ 25, SL0 1, write-back, inner shareable, 4 KiB, PS 40 bits, RES1. */
	VTCR_BOTH = 25 | 1 << 6 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16 | 1ULL << 31,
	/* SRE, DFB, DIB; EL1's accesses to ICC_SRE_EL1 trap. */
	ICC_SRE_BOTH = 7,
	ICH_HCR_EN = 1,
	ICH_HCR_ENABLES = 0xfe,
	ICH_VMCR_SHOWN = 0xff000003, /* VPMR, VENG1, VENG0 */
};

enum pstate {
	PSTATE_EL1H_MASKED = 0x3c5, /* EL1 with its own stack pointer, D, A, I, F set */
	SCTLR_EL1_RESET = 0x30d00800, /* RES1 bits; MMU and caches off */
};

/* Constants of this CPU, once: nobody below EL2 can write them. */
void controls_both(void);
/* Set the constants of a context on this CPU: the host's, or those of a vCPU. */
void controls_host(void);
void controls_vcpu(uint32_t vm, uint32_t vcpu);

/*
 * READY => RUNNING(cpu): save the host's registers, load the vCPU's. Requires that cpus[cpu].in holds a run
 * record with granted list registers.
 */
void enter_vcpu(uint32_t cpu, uint32_t vm, uint32_t vcpu);

/* What an exit tells the host beside the fields that every exit has. */
struct exit {
	uint64_t reason; /* enum nie_exit */
	uint64_t ipa;
	uint64_t width;
	uint64_t value;
};
/*
 * RUNNING(cpu) => READY, or OFF: the vCPU's registers go to its context, the host's come back with x0 = NIE_OK,
 * and every word of the run record is written.
 */
void exit_vcpu(uint32_t cpu, struct exit e);

/* Step over the instruction that trapped (for those whose ELR_EL2 points at it). */
void skip_instruction(void);
/* Take a synchronous exception to EL1 in the running context, with syndrome `esr` and FAR_EL1 = far. */
void inject(uint64_t esr, uint64_t far);
/* An Undefined Instruction exception, where the instruction traps. */
void inject_undefined(void);
/*
 * Take the abort that was taken to EL2 to EL1 instead, with fault status `fsc`: same kind (instruction or
 * data, from EL0 or EL1), same address.
 */
void inject_abort(uint64_t esr, uint64_t fsc);

#endif
