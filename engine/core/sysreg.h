/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers that the core names. The first group is switched between host and vCPU, in this order, by a
 * loop; the second is saved and loaded with the virtual interrupt controller; the rest are EL2's controls.
 */
#ifndef NIE_SYSREG_H
#define NIE_SYSREG_H

enum sysreg {
	REG_SCTLR_EL1,
	REG_CPACR_EL1,
	REG_TTBR0_EL1,
	REG_TTBR1_EL1,
	REG_TCR_EL1,
	REG_ESR_EL1,
	REG_AFSR0_EL1,
	REG_AFSR1_EL1,
	REG_FAR_EL1,
	REG_MAIR_EL1,
	REG_AMAIR_EL1,
	REG_VBAR_EL1,
	REG_CONTEXTIDR_EL1,
	REG_TPIDR_EL0,
	REG_TPIDRRO_EL0,
	REG_TPIDR_EL1,
	REG_CNTKCTL_EL1,
	REG_PAR_EL1,
	REG_SP_EL0,
	REG_SP_EL1,
	REG_ELR_EL1,
	REG_SPSR_EL1,
	REG_CSSELR_EL1,
	REG_MDSCR_EL1,
	REG_CNTV_CTL_EL0,
	REG_CNTV_CVAL_EL0,
	REG_ELR_EL2,  /* where the context resumes */
	REG_SPSR_EL2, /* and its PSTATE */
	REG_SWITCHED, /* how many are switched */

	REG_ICH_VMCR_EL2 = REG_SWITCHED,
	REG_ICH_AP0R0_EL2,
	REG_ICH_AP1R0_EL2,
	REG_ICH_HCR_EL2,
	REG_ICH_LR0_EL2,
	REG_ICH_LR1_EL2,
	REG_ICH_LR2_EL2,
	REG_ICH_LR3_EL2,
	REG_ICH_MISR_EL2,

	REG_ESR_EL2,
	REG_FAR_EL2,
	REG_HPFAR_EL2,

	REG_HCR_EL2,
	REG_VTTBR_EL2,
	REG_VTCR_EL2,
	REG_VMPIDR_EL2,
	REG_VPIDR_EL2,
	REG_CNTVOFF_EL2,
	REG_CNTHCTL_EL2,
	REG_CPTR_EL2,
	REG_MDCR_EL2,
	REG_HSTR_EL2,
	REG_ICC_SRE_EL2,
	REG_MPIDR_EL1,
	REG_MIDR_EL1,

	/* Identification registers that are not plain zero after sanitising. */
	REG_ID_AA64PFR0_EL1,
	REG_ID_AA64PFR1_EL1,
	REG_ID_AA64DFR0_EL1,
	REG_ID_AA64ISAR0_EL1,
	REG_ID_AA64ISAR1_EL1,
	REG_ID_AA64ISAR2_EL1,
	REG_ID_AA64MMFR0_EL1,
	REG_ID_AA64MMFR1_EL1,
	REG_ID_AA64MMFR2_EL1,

	/* What a VM's DISR_EL1 is while HCR_EL2.AMO = 1: nothing traps it. Switched with a vCPU. */
	REG_VDISR_EL2,
	REG_COUNT,
};

#endif
