/* SPDX-License-Identifier: Apache-2.0 */
#include "steps.h"

enum { NOT_RUN = 0x100 };

/* Any word of a run record that the host writes. */
static void random_interrupts(uint64_t run)
{
	static uint64_t last;

	store(run + 8 * RUN_IN_ICH_HCR, draw(8) == 0 ? draw64() : 0);
	for (uint32_t n = 0; n < NIE_LRS; n++) {
		uint64_t lr = 0;

		if (draw(6) == 0)
			lr = (draw(2) + 1) << 62 | 1ULL << 60 | draw(32) << 51 |
			     (32 + n * 8 + draw(8));
		if (draw(60) == 0)
			lr = draw64();
		if (draw(40) == 0)
			lr = last;
		last = lr;
		store(run + 8 * (RUN_IN_LR0 + n), lr);
	}
}

uint64_t enter_with(uint32_t cpu, uint32_t i, uint64_t x0, uint64_t x1, uint64_t x2)
{
	const uint64_t call[7] = { NIE_VCPU_RUN, i, 0, 0, 0, 0, 0 };
	uint64_t run = tenant[i].run;

	if (run == 0)
		return NOT_RUN;
	store(run + 8 * RUN_IN_FLAGS, NIE_IN_ANSWER);
	store(run + 8 * RUN_IN_X0, x0);
	store(run + 8 * (RUN_IN_X0 + 1), x1);
	store(run + 8 * (RUN_IN_X0 + 2), x2);
	store(run + 8 * (RUN_IN_X0 + 3), 0);
	if (cpu == 0)
		alarm(400);

	uint64_t status = observed(cpu, false, call, 0x1e57)->x[0];

	alarm(0);
	acknowledge();
	note_run(cpu, i, run);
	/* What a watcher saw. */
	if (tenant[i].program == WATCHER && place_at(i, SHARED) != NULL)
		note_page(cpu, place_at(i, SHARED)->pa);
	return status == NIE_OK ? load(run + 8 * RUN_OUT_REASON) : NOT_RUN;
}

/* Arguments of a command that the keeper or a watcher understands; the other finds something in them too. */
static void random_command(uint32_t i, uint64_t x[3])
{
	uint64_t page = WINDOW / PAGE + draw(4) * draw(80);

	x[0] = draw(tenant[i].program == KEEPER ? KEEP_COMMANDS : WATCH_COMMANDS);
	x[1] = draw64();
	x[2] = draw64();
	if (tenant[i].program == WATCHER) {
		x[1] = draw(2) == 0 ? any_place(i) + draw(512) * 8 : page * PAGE + draw(PAGE);
		if (x[0] == WATCH_WRITE)
			x[1] = SHARED + (1 + draw(3)) * PAGE;
	} else if (x[0] == KEEP_TOUCH) {
		x[1] = draw(3) == 0 ? page - WINDOW / PAGE
				    : (EXTRA - WINDOW) / PAGE + draw(EXTRA_PAGES);
	} else if (x[0] == KEEP_TIMER) {
		x[1] = 1ULL << 50 | draw(1 << 30);
	} else if (x[0] == KEEP_WRITE) {
		x[1] = DATA + draw(SECRET_PAGES) * PAGE;
		x[2] = 1 + draw(20);
	} else if (x[0] == KEEP_REOPEN) {
		x[1] = draw(2) == 0 ? DATA + draw(SECRET_PAGES) * PAGE
				    : EXTRA + draw(EXTRA_PAGES) * PAGE;
	} else if (x[0] == KEEP_FIRMWARE) {
		/* PSCI and SMCCC; SYSTEM_OFF now and then. */
		x[1] = draw(2) == 0 ? 0x84000000 + draw(9) : 0xc4000000 + draw(12);
		x[2] = draw(3);
	}
}

void step_run(uint32_t i)
{
	for (uint64_t rounds = 1 + draw(4); rounds != 0 && tenant[i].run != 0; rounds--) {
		uint64_t x[3], run = tenant[i].run;

		random_command(i, x);
		random_interrupts(run);
		if (enter_with(0, i, x[0], x[1], x[2]) != NIE_EXIT_PAGE_MISSING)
			continue;
		/* Served, or answered with what it is not: the next round brings numbers. */
		if (draw(4) != 0)
			add_zero(i, load(run + 8 * RUN_OUT_IPA));
	}
}

void step_build(uint32_t i)
{
	if (tenant[i].state != NIE_VM_FREE)
		return;
	if (keeper() == TENANTS)
		build(i, KEEPER, guest_keeper);
	else
		build(i, WATCHER, guest_watcher);
}

void step_destroy(uint32_t i)
{
	if (tenant[i].state != NIE_VM_FREE)
		destroy(i);
}

/* What carries a keeper's program is left to it while it lives: what it does then would depend on its stack. */
static bool carries(uint32_t i, uint64_t ipa, uint64_t count)
{
	return i < TENANTS && tenant[i].state != NIE_VM_FREE && ipa < DATA &&
	       ipa + count * PAGE > WINDOW;
}

static uint64_t wild(uint32_t i)
{
	switch (draw(8)) {
	case 0:
		return draw(5);
	case 1:
		return any_page();
	case 2:
		return any_place(i);
	case 3:
		return SHARED + draw(4) * PAGE;
	case 4:
		return ENGINE + draw(64) * PAGE;
	case 5:
		return 1ULL << draw(64);
	case 6:
		return draw64();
	default:
		return WINDOW + draw(1024) * PAGE;
	}
}

void step_wild(uint32_t i)
{
	for (uint64_t n = 0; n < 8; n++) {
		uint64_t call = NIE_VERSION + draw(NIE_CALL_END - NIE_VERSION + 1);
		uint64_t x[7] = { call,    draw(12) == 0 ? wild(i) : i,
				  wild(i), wild(i),
				  wild(i), wild(i),
				  wild(i) };

		/* A VM whose making the bookkeeping does not follow, or a run without its record. */
		if (call == NIE_VM_CREATE || call == NIE_VCPU_RUN || call == NIE_VM_STOP)
			x[1] = TENANTS + draw(NIE_MAX_VMS);
		if (call == NIE_VM_CREATE)
			x[1] += NIE_MAX_VMS;
		if (tenant[i].places + NIE_RANGE_MAX > PLACES)
			x[4] = x[4] < NIE_RANGE_MAX ? 1 : x[4];
		if (call == NIE_PAGE_REMOVE) {
			x[3] = draw(3);
			if (carries((uint32_t)x[1], x[2], x[3]))
				continue;
		}
		ask(x[0], x[1], x[2], x[3], x[4], x[5], x[6]);
	}
}

void step_probe(uint32_t i)
{
	for (uint64_t n = 0; n < TENANTS; n++) {
		note_page(0, tenant[n].root);
		note_page(0, tenant[n].context);
		note_page(0, tenant[n].run);
		ask(NIE_VM_INFO, n, 0, 0, 0, 0, 0);
	}
	for (uint64_t n = 0; n < 24; n++)
		note_page(0, any_page());
	for (uint64_t n = 0; n < tenant[i].places; n++)
		note_page(0, tenant[i].place[n].pa);
	note_page(0, block + draw(512) * PAGE);
	note_page(0, RAM + draw(RAM_BYTES / PAGE) * PAGE);
}

/* Registers and vectors of the host's own, so that it can tell its values from others'. */
void step_scribble(uint32_t i)
{
	uint64_t value = draw64();

	__asm__ volatile("msr tpidr_el0, %0\n\tmsr tpidrro_el0, %0\n\tmsr par_el1, %0\n\t"
			 "msr far_el1, %0\n\tmsr esr_el1, %0\n\tmsr afsr0_el1, %0\n\t"
			 "msr contextidr_el1, %0\n\tmsr sp_el0, %0\n\tmsr cntv_cval_el0, %0\n\t"
			 "msr S3_3_C4_C4_0, xzr\n\tisb"
			 :
			 : "r"(value));
	host_vectors(0);
	store(fresh() + (i + draw(500)) * 8, value);
}

void step_smc(uint32_t i)
{
	uint64_t function = (draw(2) == 0 ? 0x84000000 : 0xc4000000) + draw(12);
	const uint64_t x[7] = { function, draw(5), draw64(), i, 0, 0, 0 };

	/* CPU_OFF would end the program, and so would a CPU that comes up at a random address; SYSTEM_OFF without VMs too. */
	if ((function & 0xff) == 2 || (function & 0xff) == 3 || keeper() == TENANTS)
		return;
	observed(0, true, x, draw64());
}
