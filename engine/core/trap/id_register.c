/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identification registers as the host and VMs see them. A field passes only when the feature adds no
 * register that the engine would have to switch; all else reads as absent. One table for both sides.
 */
#include "../prim.h"
#include "../trap.h"

/* The field of four bits at `shift`. */
static uint64_t field(uint64_t value, uint32_t shift)
{
	return value >> shift & 15;
}

/* The field, but no more than `cap`. */
static uint64_t capped(uint64_t value, uint32_t shift, uint64_t cap)
{
	return (field(value, shift) < cap ? field(value, shift) : cap) << shift;
}

enum id_mask {
	/* FP, AdvSIMD, GIC, DIT, CSV3 */
	PFR0_KEEP = 0xfULL << 16 | 0xfULL << 20 | 0xfULL << 24 | 0xfULL << 48 | 0xfULL << 60,
	PFR0_EL1_EL0_AARCH64 = 0x11,
	/* BT, SSBS */
	PFR1_KEEP = 0xff,
	/* Armv8.0 debug with two breakpoints and two watchpoints, which read as zero: no PMU, SPE, trace. */
	DFR0_FIXED = 6 | 1 << 12 | 1 << 20,
	/* AES, SHA1, SHA2, CRC32, Atomic; RDM to FHM, TS, TLB */
	ISAR0_KEEP = 0xfffff0 | 0x0ffffffff0000000ULL,
	/* DPB, JSCVT, FCMA, LRCPC, FRINTTS, SB, SPECRES, BF16, DGH, I8MM */
	ISAR1_KEEP = 0xfULL | 0xfULL << 12 | 0xfULL << 16 | 0xfULL << 20 | 0xffffffULL << 32,
	/* BC, CLRBHB */
	ISAR2_KEEP = 0xfULL << 20 | 0xfULL << 28,
	/* ASIDBits, BigEnd, BigEndEL0, TGran16, TGran64, TGran4 */
	MMFR0_KEEP = 0xff0 | 0xffffULL << 16,
	MMFR0_PARANGE_40 = 2,
	/* HPDS, PAN, ETS, AFP, nTLBPA, ECBHB */
	MMFR1_KEEP = 0xfULL << 12 | 0xfULL << 20 | 0xfULL << 36 | 0xffULL << 44 | 0xfULL << 60,
	/* UAO, VARange, CCIDX, ST, AT, TTL, E0PD */
	MMFR2_KEEP = 0xfULL << 4 | 0xffULL << 16 | 0xffULL << 28 | 0xfULL << 48 | 0xfULL << 60,
};

static uint64_t processor_features(uint32_t op2)
{
	uint64_t value;

	switch (op2) {
	case 0:
		value = sysreg_read(REG_ID_AA64PFR0_EL1);
		return (value & PFR0_KEEP) | capped(value, 56, 1) | PFR0_EL1_EL0_AARCH64;
	case 1:
		value = sysreg_read(REG_ID_AA64PFR1_EL1);
		return value & PFR1_KEEP;
	default:
		return 0;
	}
}

static uint64_t instruction_features(uint32_t op2)
{
	uint64_t value;

	switch (op2) {
	case 0:
		value = sysreg_read(REG_ID_AA64ISAR0_EL1);
		return value & ISAR0_KEEP;
	case 1:
		value = sysreg_read(REG_ID_AA64ISAR1_EL1);
		return value & ISAR1_KEEP;
	case 2:
		value = sysreg_read(REG_ID_AA64ISAR2_EL1);
		return value & ISAR2_KEEP;
	default:
		return 0;
	}
}

static uint64_t memory_features(uint32_t op2)
{
	uint64_t value;

	switch (op2) {
	case 0:
		value = sysreg_read(REG_ID_AA64MMFR0_EL1);
		return (value & MMFR0_KEEP) | capped(value, 0, MMFR0_PARANGE_40);
	case 1:
		value = sysreg_read(REG_ID_AA64MMFR1_EL1);
		return value & MMFR1_KEEP;
	case 2:
		value = sysreg_read(REG_ID_AA64MMFR2_EL1);
		return value & MMFR2_KEEP;
	default:
		return 0;
	}
}

uint64_t id_register(uint32_t crm, uint32_t op2)
{
	switch (crm) {
	case 4:
		return processor_features(op2);
	case 5:
		return op2 == 0 ? DFR0_FIXED : 0;
	case 6:
		return instruction_features(op2);
	case 7:
		return memory_features(op2);
	default:
		return 0;
	}
}
