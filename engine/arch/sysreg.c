/* SPDX-License-Identifier: Apache-2.0 */
/* Registers by number. With a constant number the linker's optimiser leaves one instruction. */
#include "arch.h"

/* clang-format off */
#define WRITABLE(X) \
	X(SCTLR_EL1) X(CPACR_EL1) X(TTBR0_EL1) X(TTBR1_EL1) X(TCR_EL1) X(ESR_EL1) \
	X(AFSR0_EL1) X(AFSR1_EL1) X(FAR_EL1) X(MAIR_EL1) X(AMAIR_EL1) X(VBAR_EL1) \
	X(CONTEXTIDR_EL1) X(TPIDR_EL0) X(TPIDRRO_EL0) X(TPIDR_EL1) X(CNTKCTL_EL1) X(PAR_EL1) \
	X(SP_EL0) X(SP_EL1) X(ELR_EL1) X(SPSR_EL1) X(CSSELR_EL1) X(MDSCR_EL1) X(CNTV_CTL_EL0) \
	X(CNTV_CVAL_EL0) X(ELR_EL2) X(SPSR_EL2) X(ICH_VMCR_EL2) X(ICH_AP0R0_EL2) \
	X(ICH_AP1R0_EL2) X(ICH_HCR_EL2) X(ICH_LR0_EL2) X(ICH_LR1_EL2) X(ICH_LR2_EL2) \
	X(ICH_LR3_EL2) X(ESR_EL2) X(FAR_EL2) X(HPFAR_EL2) X(HCR_EL2) X(VTTBR_EL2) X(VTCR_EL2) \
	X(VMPIDR_EL2) X(VPIDR_EL2) X(CNTVOFF_EL2) X(CNTHCTL_EL2) X(CPTR_EL2) X(MDCR_EL2) \
	X(HSTR_EL2) X(ICC_SRE_EL2)

#define READABLE(X) \
	WRITABLE(X) \
	X(ICH_MISR_EL2) X(MPIDR_EL1) X(MIDR_EL1) X(ID_AA64PFR0_EL1) X(ID_AA64PFR1_EL1) \
	X(ID_AA64DFR0_EL1) X(ID_AA64ISAR0_EL1) X(ID_AA64ISAR1_EL1) X(ID_AA64ISAR2_EL1) \
	X(ID_AA64MMFR0_EL1) X(ID_AA64MMFR1_EL1) X(ID_AA64MMFR2_EL1)
/* clang-format on */

/*
 * In program order with each other and with barriers, not with memory accesses: those the manual orders by
 * barriers alone [ArmARM, D19.1.2], and the optimiser may pair loads and stores around them.
 */
#define get(name)                                                 \
	({                                                        \
		uint64_t value_;                                  \
		__asm__ volatile("mrs %0, " name : "=r"(value_)); \
		value_;                                           \
	})
#define set(name, value) __asm__ volatile("msr " name ", %x0" : : "rZ"(value))

/* Without FEAT_RAS there is no VDISR_EL2, and no DISR_EL1 either. */
static bool has_ras(void)
{
	return field(mrs("id_aa64pfr0_el1"), 28) != 0;
}

__attribute__((always_inline)) uint64_t sysreg_read(uint32_t reg)
{
	switch (reg) {
#define READ(name)       \
	case REG_##name: \
		return get(#name);
		READABLE(READ)
#undef READ
	case REG_VDISR_EL2:
		return has_ras() ? mrs("s3_4_c12_c1_1") : 0;
	default:
		panic_numbers("the core reads a register that is not there; number:", reg, 0);
	}
}

__attribute__((always_inline)) void sysreg_write(uint32_t reg, uint64_t value)
{
	switch (reg) {
#define WRITE(name)                \
	case REG_##name:           \
		set(#name, value); \
		break;
		WRITABLE(WRITE)
#undef WRITE
	case REG_VDISR_EL2:
		if (has_ras())
			msr("s3_4_c12_c1_1", value);
		break;
	default:
		panic_numbers("the core writes a register that is not there; number:", reg, 0);
	}
}
