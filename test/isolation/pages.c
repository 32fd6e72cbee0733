/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that give pages and take them, alone or while the VM runs. */
#include "steps.h"

enum { WRITER_CPU = 1, METRONOME_CPU = 3 };
static volatile uint64_t stop;

/* A page is taken and looked at at once, and once more when the host has written it. */
static void take_and_look(uint32_t i, uint64_t ipa, uint64_t pa, uint64_t count)
{
	ask(NIE_PAGE_REMOVE, i, ipa, count, 0, 0, 0);
	note_page(0, pa);
}

/* A place that is not the program's own. */
static struct place *a_page(uint32_t i)
{
	uint64_t which = draw(SECRET_PAGES + EXTRA_PAGES + 4);

	if (which < SECRET_PAGES)
		return place_at(i, DATA + which * PAGE);
	if (which < SECRET_PAGES + EXTRA_PAGES)
		return place_at(i, EXTRA + (which - SECRET_PAGES) * PAGE);
	return place_at(i, SHARED + (which - SECRET_PAGES - EXTRA_PAGES) * PAGE);
}

void step_pages(uint32_t i)
{
	struct place *p = a_page(i);

	switch (draw(6)) {
	case 0:
		add_zero(i, EXTRA + draw(EXTRA_PAGES) * PAGE);
		return;
	case 1:
		/* Over what was taken: Spent, unless the VM has opened it again. */
		add_zero(i, DATA + draw(SECRET_PAGES) * PAGE);
		return;
	case 2:
	case 3:
		if (p != NULL)
			take_and_look(i, p->ipa, p->pa, 1);
		return;
	case 4:
		add_shared(i, SHARED + draw(4) * PAGE, fresh());
		return;
	default:
		add_shared(i, SHARED + draw(4) * PAGE, any_page());
	}
}

/* Until it waits for an answer to its report. */
static bool waits(uint32_t i)
{
	uint64_t reason = 0;

	for (uint64_t n = 0; n < 4; n++) {
		reason = enter_with(0, i, tenant[i].program == KEEPER ? KEEP_VERIFY : WATCH_LOOK, 0,
				    0);
		if (reason == NIE_EXIT_PAGE_MISSING)
			add_zero(i, load(tenant[i].run + 8 * RUN_OUT_IPA));
	}
	return reason == NIE_EXIT_HOST_CALL;
}

void step_steal(uint32_t i)
{
	uint32_t k = keeper();
	struct place *p = k == TENANTS ? NULL : place_at(k, DATA + draw(SECRET_PAGES) * PAGE);
	uint64_t at = SHARED + (1 + draw(3)) * PAGE;

	for (uint32_t n = 0; n < TENANTS && tenant[i].program != WATCHER; n++)
		i = (i + 1) % TENANTS;
	if (p == NULL || tenant[i].state != NIE_VM_ACTIVE || i == k)
		return;
	add_shared(i, at, p->pa);
	waits(i);
	enter_with(0, i, WATCH_READ, at, 0);
	enter_with(0, i, WATCH_LOOK, 0, 0);
	note_page(0, p->pa);
}

void step_block(uint32_t i)
{
	struct place *p = place_at(i, BLOCK);

	if (tenant[i].state != NIE_VM_ACTIVE)
		return;
	if (p == NULL)
		add_block(i);
	else if (p->level == PLACE_BLOCK)
		split_block(i);
	else
		take_and_look(i, BLOCK, p->pa, 512);
	if (tenant[i].program == KEEPER)
		enter_with(0, i, KEEP_WRITE, BLOCK + draw(4) * PAGE, 2);
}

/* A timer of this CPU ends the turns of all: QEMU switches CPUs when one is due. */
static uint64_t metronome(uint64_t ticks)
{
	uint64_t now, due;

	while (stop == 0) {
		__asm__ volatile("msr cntp_tval_el0, %1\n\tmsr cntp_ctl_el0, %2\n\tisb\n\tmrs %0, "
				 "cntp_cval_el0"
				 : "=r"(due)
				 : "r"(ticks), "r"(3ULL));
		do
			__asm__ volatile("yield\n\tisb\n\tmrs %0, cntpct_el0" : "=r"(now));
		while (now < due && stop == 0);
	}
	__asm__ volatile("msr cntp_ctl_el0, xzr");
	return 0;
}

static uint64_t race_at, race_rounds;
static uint64_t write_there(uint64_t i)
{
	host_vectors(0);
	return enter_with(WRITER_CPU, (uint32_t)i, KEEP_WRITE, race_at, race_rounds);
}

static void pause(uint64_t rounds)
{
	for (uint64_t n = 0; n < rounds; n++)
		__asm__ volatile("yield");
}

static void take_under_load(uint32_t k, struct place p, uint64_t what)
{
	bool whole = p.level != PLACE_PAGE;

	if (p.level == PLACE_BLOCK) {
		split_block(k);
		pause(draw(100));
	}
	/* Refused when a page of the block went before: the host may not store there then. */
	uint64_t status = ask(NIE_PAGE_REMOVE, k, p.ipa, whole ? 512 : 1, 0, 0, 0);

	for (uint64_t n = 0; n < 3; n++) {
		note_page(0, p.pa);
		pause(draw(200));
	}
	if (status == NIE_OK)
		store(p.pa + 8 * what, what);
	ask(NIE_VM_INFO, k, 0, 0, 0, 0, 0);
	note_page(0, p.pa);
}

void step_race(uint32_t i)
{
	uint32_t k = keeper();
	struct place *p =
		k == TENANTS ? NULL
			     : place_at(k, draw(2) == 0 ? BLOCK : DATA + draw(SECRET_PAGES) * PAGE);

	/* Else it would not write. */
	if (p == NULL || tenant[k].state != NIE_VM_ACTIVE || !waits(k))
		return;
	race_at = p->ipa;
	race_rounds = 100 + draw(2000);
	stop = 0;
	on_cpu(METRONOME_CPU, metronome, 300 + draw(3000));
	on_cpu(WRITER_CPU, write_there, k);
	pause(100 + draw(300));
	take_under_load(k, *p, i);
	kick(WRITER_CPU);
	wait_cpu(WRITER_CPU);
	stop = 1;
	wait_cpu(METRONOME_CPU);
}
