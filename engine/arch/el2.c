/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each CPU as it starts: is it one that the engine was designed for, and are the registers of EL2 that the
 * core never writes at known values? Their reset values are unknown, or the firmware's.
 */
#include "arch.h"

enum {
	ICC_SRE_ALL = 0xf, /* SRE, DFB, DIB, Enable */
	NOT_IMPLEMENTED = 15,
};

static void check_memory(void)
{
	uint64_t mmfr0 = mrs("id_aa64mmfr0_el1");
	uint64_t stage2 = field(mmfr0, 40);

	if (field(mmfr0, 0) < 2)
		panic_numbers("fewer than 40 bits of physical address; PARange, least:",
			      field(mmfr0, 0), 2);
	if (field(mmfr0, 28) == NOT_IMPLEMENTED || stage2 == 1)
		panic_numbers("no 4 KiB pages; TGran4, TGran4_2:", field(mmfr0, 28), stage2);
	if ((mrs("hcr_el2") >> 34 & 1) != 0)
		panic("this CPU cannot run with HCR_EL2.E2H = 0");
}

static void check_interrupts(void)
{
	if (field(mrs("id_aa64pfr0_el1"), 24) == 0)
		panic("no system registers of a GICv3");
	/* Its registers hold state that nothing here switches; ID_AA64PFR2_EL1. */
	if (field(mrs("s3_0_c0_c4_2"), 12) != 0)
		panic("a CPU interface of a GICv5");
	msr("icc_sre_el2", ICC_SRE_ALL);
	isb();
	if ((mrs("icc_sre_el2") & 1) == 0)
		panic("the firmware does not let EL2 use the GIC's system registers");

	uint64_t vtr = mrs("ich_vtr_el2");

	if ((vtr & 31) + 1 < NIE_LRS)
		panic_numbers("too few list registers; there are, needed:", (vtr & 31) + 1,
			      NIE_LRS);
	if ((vtr >> 26 & 7) + 1 > 5)
		panic_numbers("more than 5 bits of preemption; there are, at most:",
			      (vtr >> 26 & 7) + 1, 5);
}

void cpu_check(void)
{
	check_memory();
	check_interrupts();
	if (field(mrs("id_aa64pfr0_el1"), 16) == NOT_IMPLEMENTED)
		panic("no floating point");
}

/* Fields of FEAT_FGT, FEAT_FGT2: 0 traps what is new, permits what is old and hidden otherwise. */
static void reset_fine_grained_traps(uint64_t mmfr0)
{
	if (field(mmfr0, 56) >= 1) {
		msr("s3_4_c1_c1_4", 0); /* HFGRTR_EL2 */
		msr("s3_4_c1_c1_5", 0); /* HFGWTR_EL2 */
		msr("s3_4_c1_c1_6", 0); /* HFGITR_EL2 */
		msr("s3_4_c3_c1_4", 0); /* HDFGRTR_EL2 */
		msr("s3_4_c3_c1_5", 0); /* HDFGWTR_EL2 */
		if (field(mrs("id_aa64pfr0_el1"), 44) != 0)
			msr("s3_4_c3_c1_6", 0); /* HAFGRTR_EL2, with FEAT_AMUv1 */
	}
	if (field(mmfr0, 56) >= 2) {
		msr("s3_4_c3_c1_2", 0); /* HFGRTR2_EL2 */
		msr("s3_4_c3_c1_3", 0); /* HFGWTR2_EL2 */
		msr("s3_4_c3_c1_7", 0); /* HFGITR2_EL2 */
		msr("s3_4_c3_c1_0", 0); /* HDFGRTR2_EL2 */
		msr("s3_4_c3_c1_1", 0); /* HDFGWTR2_EL2 */
	}
}

/* Memory partitions: the engine's is 0, and EL1's accesses to the controls trap. */
static void reset_partitions(void)
{
	enum { HAS_BW_CTRL = 56 };

	/* FEAT_MPAMv0p1 has the registers too, and shows in the fraction alone. */
	if (field(mrs("id_aa64pfr0_el1"), 40) == 0 && field(mrs("id_aa64pfr1_el1"), 16) == 0)
		return;
	msr("s3_4_c10_c5_0", 3ULL << 48); /* MPAM2_EL2: TRAPMPAM0EL1, TRAPMPAM1EL1 */
	if ((mrs("s3_0_c10_c4_4") >> HAS_BW_CTRL & 1) != 0) /* MPAMIDR_EL1 */
		msr("s3_4_c10_c5_4", 0);          /* MPAMBW2_EL2: 0 traps */
}

/* Controls of later extensions: off, whatever they are. */
static void reset_extensions(void)
{
	uint64_t mmfr1 = mrs("id_aa64mmfr1_el1");
	uint64_t mmfr3 = mrs("s3_0_c0_c7_3"); /* ID_AA64MMFR3_EL1 */

	reset_fine_grained_traps(mrs("id_aa64mmfr0_el1"));
	if (field(mmfr1, 40) != 0)
		msr("s3_4_c1_c2_2", 0); /* HCRX_EL2 */
	if (field(mmfr3, 0) != 0)
		msr("s3_4_c2_c0_3", 0); /* TCR2_EL2: else PIE could change what tables permit */
	if (field(mmfr3, 4) != 0)
		msr("s3_4_c1_c0_3", 0); /* SCTLR2_EL2 */
	reset_partitions();
}

/* Streaming mode is off and stays off: CPTR_EL2 of the core traps all of SVE and SME. */
static void reset_vectors(void)
{
	enum { CPTR_NO_TRAPS = 0x22ff };

	msr("cptr_el2", CPTR_NO_TRAPS);
	isb();
	if (field(mrs("id_aa64pfr1_el1"), 24) != 0) {
		msr("s3_3_c4_c2_2", 0); /* SVCR */
		msr("s3_4_c1_c2_6", 0); /* SMCR_EL2 */
	}
	if (field(mrs("id_aa64pfr0_el1"), 32) != 0)
		msr("s3_4_c1_c2_0", 0); /* ZCR_EL2 */
	isb();
	fp_zero();
}

/* Nothing that records what EL2 or a VM does: trace, sampling, branches; the debug OS lock is open. */
static void reset_debug(void)
{
	uint64_t dfr0 = mrs("id_aa64dfr0_el1");

	msr("mdscr_el1", 0);
	msr("oslar_el1", 0);
	msr("osdlr_el1", 0);
	if (field(dfr0, 8) != 0 && field(dfr0, 8) != NOT_IMPLEMENTED)
		msr("pmcr_el0", 0);
	if (field(dfr0, 32) != 0)
		msr("s3_4_c9_c9_0", 0); /* PMSCR_EL2 */
	if (field(dfr0, 40) != 0)
		msr("s3_4_c1_c2_1", 0); /* TRFCR_EL2 */
	if (field(dfr0, 52) != 0)
		msr("s2_4_c9_c0_0", 0); /* BRBCR_EL2 */
}

/* All list registers, also those that the core does not use. */
static void reset_interrupts(void)
{
	uint64_t count = (mrs("ich_vtr_el2") & 31) + 1;

	msr("ich_hcr_el2", 0);
	msr("ich_vmcr_el2", 0);
	msr("ich_ap0r0_el2", 0);
	msr("ich_ap1r0_el2", 0);
#define CLEAR_LR(n)      \
	if (count > (n)) \
	msr("ich_lr" #n "_el2", 0)
	CLEAR_LR(0);
	CLEAR_LR(1);
	CLEAR_LR(2);
	CLEAR_LR(3);
	CLEAR_LR(4);
	CLEAR_LR(5);
	CLEAR_LR(6);
	CLEAR_LR(7);
	CLEAR_LR(8);
	CLEAR_LR(9);
	CLEAR_LR(10);
	CLEAR_LR(11);
	CLEAR_LR(12);
	CLEAR_LR(13);
	CLEAR_LR(14);
	CLEAR_LR(15);
#undef CLEAR_LR
}

void cpu_reset(uint32_t cpu)
{
	msr("tpidr_el2", (uint64_t)&cpus[cpu]);
	msr("actlr_el2", 0);
	msr("hacr_el2", 0);
	msr("hstr_el2", 0);
	/* No timer of EL2, and the host finds its own off. */
	msr("cnthp_ctl_el2", 0);
	if (field(mrs("id_aa64mmfr1_el1"), 8) != 0)
		msr("s3_4_c14_c3_1", 0); /* CNTHV_CTL_EL2, with FEAT_VHE */
	msr("cntp_ctl_el0", 0);
	msr("cntv_ctl_el0", 0);
	/* What a virtual SError would carry, and an EL1 that defers one: empty [ArmARM, FEAT_RAS]. */
	if (field(mrs("id_aa64pfr0_el1"), 28) != 0) {
		msr("s3_4_c5_c2_3", 0); /* VSESR_EL2 */
		msr("s3_4_c12_c1_1", 0); /* VDISR_EL2 */
	}
	reset_extensions();
	reset_vectors();
	reset_debug();
	reset_interrupts();
	isb();
}
