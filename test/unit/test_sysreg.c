/* SPDX-License-Identifier: Apache-2.0 */
/* Trapped registers: what reads as what, what is undefined, what goes to the host. */
#include "vm.h"
#include "../../engine/core/trap.h"

#define ENC(op0, op1, crn, crm, op2)                                             \
	((uint64_t)(op0) << 20 | (uint64_t)(op2) << 17 | (uint64_t)(op1) << 14 | \
	 (uint64_t)(crn) << 10 | (uint64_t)(crm) << 1)
#define READ 1

/* MRS to, or MSR from, x9. */
static void access(uint32_t cpu, uint64_t encoding, uint64_t read)
{
	*reg(cpu, REG_VBAR_EL1) = 0x80000;
	*reg(cpu, REG_SPSR_EL2) = 0x3c5;
	*reg(cpu, REG_ELR_EL2) = 0x1000;
	take(cpu, TRAP_SYNC, (uint64_t)EC_SYSREG << 26 | ESR_IL | encoding | 9 << 5 | read);
}

static uint64_t mrs(uint32_t cpu, uint64_t encoding)
{
	cpus[cpu].x[9] = 0xbadbadbad;
	access(cpu, encoding, READ);
	return *reg(cpu, REG_ELR_EL2) == 0x1004 ? cpus[cpu].x[9] : 0xdeadbeef;
}

static bool undefined(uint32_t cpu, uint64_t encoding, uint64_t read)
{
	access(cpu, encoding, read);
	return *reg(cpu, REG_ELR_EL2) == 0x80200 && *reg(cpu, REG_ESR_EL1) == ESR_IL &&
	       *reg(cpu, REG_ELR_EL1) == 0x1000;
}

static bool ignored(uint32_t cpu, uint64_t encoding)
{
	fake_counts.changes = 0;
	access(cpu, encoding, 0);
	/* ELR and SPSR only: the step over it. */
	return *reg(cpu, REG_ELR_EL2) == 0x1004 && fake_counts.changes == 2;
}

static void enter(void)
{
	active(0, 1);
	run(1, 0, 0);
}

/* With every feature there, only those that need no register of their own are seen, by both sides. */
static void id_registers(void)
{
	const struct {
		uint32_t crm, op2;
		uint64_t want;
	} t[] = {
		{ 4, 0, 0xf10f00000fff0011 },
		{ 4, 1, 0xff },
		{ 4, 4, 0 }, /* ZFR0: no SVE */
		{ 4, 5, 0 }, /* SMFR0: no SME */
		{ 5, 0, 0x101006 },
		{ 5, 1, 0 },
		{ 6, 0, 0x0ffffffff0fffff0 },
		{ 6, 1, 0x00ffffff000ff00f | 0xfULL << 20 },
		{ 6, 2, 0xf0f00000 },
		{ 7, 0, 0xffff0ff2 },
		{ 7, 1, 0xf00ff0f000f0f000 },
		{ 7, 2, 0xf00f000ff0ff00f0 },
		{ 7, 3, 0 }, /* MMFR3: no TCR2, PIE, MEC */
		{ 1, 0, 0 }, /* AArch32 */
		{ 2, 7, 0 },
	};

	enter();
	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		CHECK_EQ(mrs(0, ENC(3, 0, 0, t[i].crm, t[i].op2)), t[i].want);
		CHECK_EQ(mrs(1, ENC(3, 0, 0, t[i].crm, t[i].op2)), t[i].want);
	}
}

static void absent_features_stay_absent(void)
{
	for (uint32_t r = REG_ID_AA64PFR0_EL1; r < REG_COUNT; r++)
		*reg(0, r) = 0;
	CHECK_EQ(mrs(0, ENC(3, 0, 0, 4, 0)), 0x11);
	for (uint32_t crm = 4; crm < 8; crm++) {
		for (uint32_t op2 = crm == 4 || crm == 5 ? 1 : 0; op2 < 8; op2++)
			CHECK_EQ(mrs(0, ENC(3, 0, 0, crm, op2)), 0);
	}
}

static void debug_is_single_step_only(void)
{
	const uint64_t mdscr = ENC(2, 0, 0, 2, 2);

	enter();
	cpus[1].x[9] = ALL_ONES;
	access(1, mdscr, 0);
	CHECK_EQ(*reg(1, REG_MDSCR_EL1), 1);
	CHECK_EQ(mrs(1, mdscr), 1);
	CHECK(ignored(1, ENC(2, 0, 0, 0, 4))); /* DBGBVR0_EL1 */
	CHECK(ignored(1, ENC(2, 0, 1, 0, 4))); /* OSLAR_EL1 */
	CHECK_EQ(mrs(1, ENC(2, 0, 0, 0, 5)), 0); /* DBGBCR0_EL1 */
	CHECK(ignored(0, ENC(2, 0, 0, 0, 6))); /* DBGWVR0_EL1 of the host */
}

static void hidden_registers(void)
{
	const uint64_t t[] = {
		ENC(3, 3, 9, 12, 0), /* PMCR_EL0 */
		ENC(3, 0, 9, 9, 0), /* PMSCR_EL1 */
		ENC(3, 0, 9, 11, 0), /* TRBLIMITR_EL1 */
		ENC(3, 0, 1, 2, 0), /* ZCR_EL1 */
		ENC(3, 3, 4, 2, 2), /* SVCR */
		ENC(3, 0, 2, 1, 0), /* APIAKeyLo_EL1 */
		ENC(3, 0, 10, 4, 3), /* LORC_EL1 */
		ENC(3, 0, 5, 3, 0), /* ERRIDR_EL1 */
		ENC(3, 0, 1, 0, 5), /* RGSR_EL1 (MTE) */
		ENC(3, 3, 15, 0, 0), /* implementation defined */
	};

	enter();
	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		for (uint32_t cpu = 0; cpu < 2; cpu++) {
			CHECK(undefined(cpu, t[i], READ));
			CHECK(undefined(cpu, t[i], 0));
		}
	}
}

static void constants(void)
{
	enter();
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		CHECK_EQ(mrs(cpu, ENC(3, 0, 1, 0, 1)), 0); /* ACTLR_EL1 */
		CHECK_EQ(mrs(cpu, ENC(3, 0, 12, 12, 5)), 7); /* ICC_SRE_EL1 */
		CHECK(ignored(cpu, ENC(3, 0, 1, 0, 1)));
		CHECK(ignored(cpu, ENC(3, 0, 12, 12, 5)));
		CHECK(ignored(cpu, ENC(1, 0, 7, 6, 2))); /* DC ISW */
		CHECK(ignored(cpu, ENC(1, 0, 7, 14, 2))); /* DC CISW */
	}
	CHECK_EQ(mrs(1, ENC(3, 3, 14, 2, 1)), 0); /* CNTP_CTL_EL0: the host's timer */
	CHECK(ignored(1, ENC(3, 3, 14, 2, 2)));
}

static void sgi_goes_to_the_host(void)
{
	enter();
	cpus[1].x[9] = 0x0300000000000002;
	access(1, ENC(3, 0, 12, 11, 5), 0);
	CHECK_EQ(cpus[1].vm, CPU_HOST);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_SGI);
	CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 0x0300000000000002);
	run(1, 0, 0);
	CHECK_EQ(*reg(1, REG_ELR_EL2), 0x1004);
	CHECK(undefined(1, ENC(3, 0, 12, 11, 5), READ));
	CHECK(ignored(1, ENC(3, 0, 12, 11, 6))); /* group 0, and the other security state */
	CHECK(ignored(1, ENC(3, 0, 12, 11, 7)));
}

/* Rt = 31 is the zero register. */
static void zero_register(void)
{
	enter();
	*reg(1, REG_ELR_EL2) = 0x1000;
	take(1, TRAP_SYNC, (uint64_t)EC_SYSREG << 26 | ENC(3, 0, 0, 4, 0) | 31 << 5 | READ);
	CHECK_EQ(*reg(1, REG_ELR_EL2), 0x1004);
	take(1, TRAP_SYNC, (uint64_t)EC_SYSREG << 26 | ENC(3, 0, 12, 11, 5) | 31 << 5);
	CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 0);
}

static void other_classes_are_undefined(void)
{
	/* SVE, SME, PAuth, SVC of AArch32 by a CP15 trap, illegal state, ... */
	const uint32_t classes[] = { 0x00, 0x03, 0x04, 0x05, 0x06, 0x07,
				     0x08, 0x09, 0x0c, 0x14, 0x19, 0x1d };

	enter();
	for (uint32_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		for (uint32_t cpu = 0; cpu < 2; cpu++) {
			*reg(cpu, REG_VBAR_EL1) = 0x80000;
			*reg(cpu, REG_SPSR_EL2) = 0x3c5;
			*reg(cpu, REG_FAR_EL1) = 0xfa4;
			take(cpu, TRAP_SYNC, (uint64_t)classes[i] << 26 | 0x1ffffff);
			CHECK_EQ(*reg(cpu, REG_ELR_EL2), 0x80200);
			CHECK_EQ(*reg(cpu, REG_ESR_EL1), ESR_IL);
			CHECK_EQ(*reg(cpu, REG_FAR_EL1), 0xfa4);
		}
	}
}

TESTS(sysreg, TEST(id_registers), TEST(absent_features_stay_absent),
      TEST(debug_is_single_step_only), TEST(hidden_registers), TEST(constants),
      TEST(sgi_goes_to_the_host), TEST(zero_register), TEST(other_classes_are_undefined));
