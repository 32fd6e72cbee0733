/* SPDX-License-Identifier: Apache-2.0 */
/* Aborts of a VM: device accesses and their answers, missing pages, Spent, what is injected. */
#include "vm.h"
#include "../../engine/core/mmio.h"
#include "../../engine/core/trap.h"

#define UART_IPA   0x09000018ULL
#define SAS(log)   ((uint64_t)(log) << 22)
#define SRT(r)     ((uint64_t)(r) << 16)
#define VBAR       0x80000ULL
#define ABORT_EL1  ((uint64_t)0x25 << 26 | ESR_IL | 0x10)
#define IABORT_EL1 ((uint64_t)0x21 << 26 | ESR_IL | 0x10)

static void enter(void)
{
	active(0, 1);
	run(1, 0, 0);
	*reg(1, REG_VBAR_EL1) = VBAR;
}

/* The exit is for the host, with these fields; the rest is 0. */
static void check_exit(uint64_t reason, uint64_t ipa, uint64_t width, uint64_t value)
{
	CHECK_EQ(cpus[1].vm, CPU_HOST);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), reason);
	CHECK_EQ(out(0, 0, RUN_OUT_IPA), ipa);
	CHECK_EQ(out(0, 0, RUN_OUT_WIDTH), width);
	CHECK_EQ(out(0, 0, RUN_OUT_VALUE), value);
	for (uint32_t i = 0; i < 7; i++)
		CHECK_EQ(out(0, 0, RUN_OUT_X0 + i), 0);
}

static void answer(uint64_t value)
{
	in(0, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
	in(0, 0, RUN_IN_X0, value);
	run(1, 0, 0);
	in(0, 0, RUN_IN_FLAGS, 0);
}

static void reads(void)
{
	const struct {
		uint64_t iss, width, value, want;
	} t[] = {
		{ ISS_ISV | SAS(0), 1, 0x1122334455667788, 0x88 },
		{ ISS_ISV | SAS(1), 2, 0x1122334455667788, 0x7788 },
		{ ISS_ISV | SAS(2), 4, 0x11223344f5667788, 0xf5667788 },
		{ ISS_ISV | SAS(3) | ISS_SF, 8, 0x1122334455667788, 0x1122334455667788 },
		{ ISS_ISV | SAS(0) | ISS_SSE, 1, 0x80, 0xffffff80 },
		{ ISS_ISV | SAS(0) | ISS_SSE | ISS_SF, 1, 0x80, 0xffffffffffffff80 },
		{ ISS_ISV | SAS(1) | ISS_SSE | ISS_SF, 2, 0x7fff, 0x7fff },
		{ ISS_ISV | SAS(2) | ISS_SSE | ISS_SF, 4, 0x80000000, 0xffffffff80000000 },
	};

	enter();
	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint64_t pc = *reg(1, REG_ELR_EL2);

		cpus[1].x[5] = 0x5ec4e7;
		data_abort(1, UART_IPA, t[i].iss | SRT(5));
		check_exit(NIE_EXIT_MMIO_READ, UART_IPA, t[i].width, 0);
		answer(t[i].value);
		CHECK_EQ(cpus[1].x[5], t[i].want);
		CHECK_EQ(*reg(1, REG_ELR_EL2), pc + 4);
	}
}

static void writes(void)
{
	enter();
	for (uint32_t log = 0; log < 4; log++) {
		uint64_t pc = *reg(1, REG_ELR_EL2);
		uint64_t mask = log == 3 ? (uint64_t)ALL_ONES : (1ULL << (8 << log)) - 1;

		cpus[1].x[30] = 0x1122334455667788;
		data_abort(1, UART_IPA, ISS_ISV | SAS(log) | SRT(30) | ISS_WNR);
		check_exit(NIE_EXIT_MMIO_WRITE, UART_IPA, 1ULL << log, 0x1122334455667788 & mask);
		answer(0x99);
		CHECK_EQ(cpus[1].x[30], 0x1122334455667788);
		CHECK_EQ(*reg(1, REG_ELR_EL2), pc + 4);
	}
}

static void zero_register(void)
{
	enter();
	data_abort(1, UART_IPA, ISS_ISV | SAS(3) | SRT(31) | ISS_WNR);
	check_exit(NIE_EXIT_MMIO_WRITE, UART_IPA, 8, 0);
	answer(0);
	data_abort(1, UART_IPA, ISS_ISV | SAS(3) | SRT(31) | ISS_SF);
	answer(0x1234);
	CHECK_EQ(cpus[1].vm, 0);
}

static void unanswered_runs_again(void)
{
	enter();
	uint64_t pc = *reg(1, REG_ELR_EL2);

	cpus[1].x[5] = 0x5ec4e7;
	data_abort(1, UART_IPA, ISS_ISV | SAS(2) | SRT(5));
	in(0, 0, RUN_IN_X0, 0x99);
	run(1, 0, 0);
	CHECK_EQ(cpus[1].x[5], 0x5ec4e7);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc);
	/* What it asked for is forgotten: a late answer changes nothing. */
	kick(1);
	answer(0x99);
	CHECK_EQ(cpus[1].x[5], 0x5ec4e7);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc);
}

/* The host answers when nothing was asked. */
static void forged_answer(void)
{
	enter();
	uint64_t pc = *reg(1, REG_ELR_EL2);

	for (uint32_t i = 0; i < 31; i++)
		cpus[1].x[i] = 0x100 + i;
	kick(1);
	answer(0x99);
	for (uint32_t i = 0; i < 31; i++)
		CHECK_EQ(cpus[1].x[i], 0x100 + i);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc);
}

/* ... or when a page of its RAM is missing. */
static void forged_answer_for_memory(void)
{
	enter();
	uint64_t pc = *reg(1, REG_ELR_EL2);

	cpus[1].x[5] = 0x5ec4e7;
	data_abort(1, IPA(7) + 0x88, ISS_ISV | SAS(3) | SRT(5) | ISS_SF);
	check_exit(NIE_EXIT_PAGE_MISSING, IPA(7), 0, 0);
	answer(0x99);
	CHECK_EQ(cpus[1].x[5], 0x5ec4e7);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc);
}

/* ... or gives up: the next exit of another kind takes no answer meant for the first. */
static void answer_of_a_call_is_not_an_mmio(void)
{
	enter();
	cpus[1].x[5] = 0x5ec4e7;
	data_abort(1, UART_IPA, ISS_ISV | SAS(2) | SRT(5));
	run(1, 0, 0);
	hvc(1, NIE_VM_HOST_CALL, (const uint64_t[6]){ 0 });
	uint64_t pc = peek(CONTEXT(0, 0) >> 12, CTX_SYSREG + REG_ELR_EL2);

	answer(0x99);
	CHECK_EQ(cpus[1].x[0], 0x99);
	CHECK_EQ(cpus[1].x[5], 0);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc);
}

static void missing_page(void)
{
	enter();
	data_abort(1, IPA(7) + 0x123, 0);
	check_exit(NIE_EXIT_PAGE_MISSING, IPA(7), 0, 0);
	run(1, 0, 0);
	data_abort(1, IPA(4095), ISS_S1PTW);
	check_exit(NIE_EXIT_PAGE_MISSING, IPA(4095), 0, 0);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(7), PA(300), 1, 3);
	run(1, 0, 0);
	uint64_t pc = *reg(1, REG_ELR_EL2);

	/* By now it is there: the fault is stale and nobody hears of it. */
	data_abort(1, IPA(7), 0);
	CHECK_EQ(cpus[1].vm, 0);
	CHECK_EQ(*reg(1, REG_ELR_EL2), pc);
	*reg(1, REG_HPFAR_EL2) = IPA(8) >> 12 << 4;
	take(1, TRAP_SYNC, (uint64_t)EC_INSTRUCTION_ABORT << 26 | ESR_IL | 7);
	check_exit(NIE_EXIT_PAGE_MISSING, IPA(8), 0, 0);
}

/* The vCPU took an exception at its own vector, with this syndrome. */
static void check_injected(uint64_t esr, uint64_t pc)
{
	CHECK_EQ(cpus[1].vm, 0);
	CHECK_EQ(*reg(1, REG_ESR_EL1), esr);
	CHECK_EQ(*reg(1, REG_ELR_EL1), pc);
	CHECK_EQ(*reg(1, REG_ELR_EL2), VBAR + 0x200);
	CHECK_EQ(*reg(1, REG_SPSR_EL2) & 0x3ff, 0x3c5);
	*reg(1, REG_ELR_EL2) = pc;
}

static void injected_aborts(void)
{
	enter();
	uint64_t pc = *reg(1, REG_ELR_EL2);

	data_abort(1, UART_IPA, SAS(2)); /* no valid syndrome: LDP and the like */
	check_injected(ABORT_EL1, pc);
	data_abort(1, UART_IPA, ISS_ISV | SAS(2) | ISS_CM | ISS_WNR);
	check_injected(ABORT_EL1 | ISS_CM | ISS_WNR, pc);
	data_abort(1, UART_IPA, ISS_S1PTW | ISS_ISV);
	check_injected(ABORT_EL1, pc);
	data_abort(1, 1ULL << 39, ISS_ISV | SAS(2));
	check_injected(ABORT_EL1, pc);
	*reg(1, REG_HPFAR_EL2) = UART_IPA >> 12 << 4;
	take(1, TRAP_SYNC, (uint64_t)EC_INSTRUCTION_ABORT << 26 | ESR_IL | 7);
	check_injected(IABORT_EL1, pc);
	/* Permission fault: execution of a SHARED page. */
	take(1, TRAP_SYNC, (uint64_t)EC_INSTRUCTION_ABORT << 26 | ESR_IL | 0xf);
	check_injected(IABORT_EL1, pc);
}

static void spent_page_aborts(void)
{
	enter();
	GRANTED(PAGE_REMOVE, 0, IPA(1), 1);
	uint64_t pc = *reg(1, REG_ELR_EL2);

	data_abort(1, IPA(1) + 8, ISS_ISV | SAS(3) | SRT(5) | ISS_WNR);
	check_injected(ABORT_EL1 | ISS_WNR, pc);
	CHECK_EQ(*reg(1, REG_FAR_EL1), 0xffff800000001008);
}

static void vectors_by_origin(void)
{
	const struct {
		uint64_t pstate, offset, class;
	} t[] = { { 0x3c5, 0x200, 0x25 },
		  { 0x3c4, 0, 0x25 },
		  { 0x3c0, 0x400, 0x24 },
		  { 0x1d0, 0x600, 0x24 } };

	enter();
	for (uint32_t i = 0; i < 4; i++) {
		*reg(1, REG_SPSR_EL2) = t[i].pstate;
		data_abort(1, UART_IPA, 0);
		CHECK_EQ(*reg(1, REG_ELR_EL2), VBAR + t[i].offset);
		CHECK_EQ(*reg(1, REG_ESR_EL1) >> 26, t[i].class);
		CHECK_EQ(*reg(1, REG_SPSR_EL1), t[i].pstate);
	}
}

static void handler_state(void)
{
	enter();
	/* NZCV, DIT, PAN stay; BTYPE, SS, IL, UAO go; SPAN 0 sets PAN; DSSBS sets SSBS. */
	*reg(1, REG_SPSR_EL2) = 0xf0000000 | 1 << 24 | 1 << 23 | 1 << 21 | 1 << 20 | 3 << 10 | 4;
	*reg(1, REG_SCTLR_EL1) = 1ULL << 23;
	data_abort(1, UART_IPA, 0);
	CHECK_EQ(*reg(1, REG_SPSR_EL2), 0xf00003c5 | 1 << 24);
	*reg(1, REG_SCTLR_EL1) = 1ULL << 44;
	data_abort(1, UART_IPA, 0);
	CHECK_EQ(*reg(1, REG_SPSR_EL2), 0xf00003c5 | 1 << 24 | 1 << 22 | 1 << 12);
}

TESTS(mmio, TEST(reads), TEST(writes), TEST(zero_register), TEST(unanswered_runs_again),
      TEST(forged_answer), TEST(forged_answer_for_memory), TEST(answer_of_a_call_is_not_an_mmio),
      TEST(missing_page), TEST(injected_aborts), TEST(spent_page_aborts), TEST(vectors_by_origin),
      TEST(handler_state));
