/* SPDX-License-Identifier: Apache-2.0 */
#include "tenants.h"

struct tenant tenant[TENANTS];
uint64_t block;
static uint64_t pool, state;

/* xorshift64* (Vigna, 2016) */
uint64_t draw64(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1d;
}

uint64_t draw(uint64_t below)
{
	return (draw64() >> 33) % below;
}

void seed_is(uint64_t seed)
{
	state = seed * 2 + 1;
	for (uint32_t i = 0; i < 8; i++)
		draw64();
	block = pages(512, MIB2);
	pool = pages(POOL_PAGES, PAGE);
}

static bool serves(uint64_t pa)
{
	for (uint32_t i = 0; i < TENANTS; i++) {
		if (tenant[i].state == NIE_VM_FREE)
			continue;
		if (tenant[i].root == pa || tenant[i].context == pa || tenant[i].run == pa)
			return true;
		for (uint64_t n = 0; n < tenant[i].places; n++) {
			if (tenant[i].place[n].pa == pa)
				return true;
		}
	}
	return false;
}

uint64_t any_page(void)
{
	return pool + draw(POOL_PAGES) * PAGE;
}

uint64_t fresh(void)
{
	uint64_t start = draw(POOL_PAGES);

	for (uint64_t n = 0; n < POOL_PAGES; n++) {
		uint64_t pa = pool + (start + n) % POOL_PAGES * PAGE;

		if (!serves(pa))
			return pa;
	}
	return 0;
}

uint64_t any_place(uint32_t i)
{
	return tenant[i].places == 0 ? WINDOW : tenant[i].place[draw(tenant[i].places)].ipa;
}

struct place *place_at(uint32_t i, uint64_t ipa)
{
	for (uint64_t n = 0; n < tenant[i].places; n++) {
		if (tenant[i].place[n].level >= PLACE_PAGE && tenant[i].place[n].ipa == ipa)
			return &tenant[i].place[n];
	}
	return NULL;
}

uint32_t keeper(void)
{
	for (uint32_t i = 0; i < TENANTS; i++) {
		if (tenant[i].state != NIE_VM_FREE && tenant[i].program == KEEPER)
			return i;
	}
	return TENANTS;
}

static void gains(struct tenant *t, uint64_t ipa, uint64_t pa, uint64_t level)
{
	CHECK(t->places < PLACES);
	t->place[t->places++] = (struct place){ ipa, pa, level };
}

static void loses(struct tenant *t, uint64_t ipa, uint64_t pa)
{
	for (uint64_t n = 0; n < t->places; n++) {
		if (t->place[n].ipa == ipa && t->place[n].pa == pa) {
			t->place[n] = t->place[--t->places];
			return;
		}
	}
}

static void tables_and_pages(struct tenant *t, const uint64_t *x, uint64_t x1)
{
	uint64_t count = x[0] == NIE_PAGE_REMOVE ? x[3] : x[4];
	bool whole = x[2] == BLOCK && count == 512;

	if (x[0] == NIE_TABLE_ADD) {
		if (x[2] == BLOCK && x[3] == 3) {
			for (uint64_t n = 0; n < t->places; n++) {
				if (t->place[n].level == PLACE_BLOCK)
					t->place[n].level = PLACE_SPLIT;
			}
		}
		gains(t, x[2], x[4], x[3]);
	} else if (x[0] == NIE_TABLE_REMOVE) {
		loses(t, x[2], x1);
	} else if (whole && x[0] == NIE_PAGE_REMOVE) {
		loses(t, x[2], x1);
	} else if (whole && x[0] == NIE_PAGE_ADD_ZERO) {
		gains(t, x[2], x[3], PLACE_BLOCK);
	} else {
		for (uint64_t k = 0; k < count && x[0] == NIE_PAGE_REMOVE; k++)
			loses(t, x[2] + k * PAGE, x1 + k * PAGE);
		for (uint64_t k = 0; k < count && x[0] != NIE_PAGE_REMOVE; k++)
			gains(t, x[2] + k * PAGE, x[3] + k * PAGE, PLACE_PAGE);
	}
}

/* The call succeeded. */
static void learn(const uint64_t *x, uint64_t x1)
{
	struct tenant *t = &tenant[x[1]];

	if (x[0] == NIE_VERSION || x[0] == NIE_VM_INFO || x[0] == NIE_VCPU_RUN)
		return;
	CHECK(x[1] < TENANTS);
	switch (x[0]) {
	case NIE_VM_CREATE:
		t->program = NOBODY;
		t->state = NIE_VM_BUILDING;
		t->root = x[2];
		t->context = 0;
		t->run = 0;
		t->places = 0;
		return;
	case NIE_VM_ACTIVATE:
		t->state = NIE_VM_ACTIVE;
		return;
	case NIE_VM_STOP:
		t->state = NIE_VM_STOPPED;
		return;
	case NIE_VM_DESTROY:
		t->state = NIE_VM_FREE;
		return;
	case NIE_VCPU_CREATE:
		t->context = x[3];
		t->run = x[4];
		return;
	case NIE_VCPU_DESTROY:
		t->context = 0;
		t->run = 0;
		return;
	default:
		tables_and_pages(t, x, x1);
	}
}

uint64_t ask(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3, uint64_t x4, uint64_t x5,
	     uint64_t x6)
{
	const uint64_t x[7] = { function, x1, x2, x3, x4, x5, x6 };
	const struct seen *s = observed(0, false, x, draw64());

	if (s->x[0] == NIE_OK)
		learn(x, s->x[1]);
	return s->x[0];
}

void add_zero(uint32_t i, uint64_t ipa)
{
	uint64_t pa = fresh();

	if (pa != 0 && tenant[i].places < PLACES)
		ask(NIE_PAGE_ADD_ZERO, i, ipa, pa, 1, 3, 0);
}

void add_shared(uint32_t i, uint64_t ipa, uint64_t pa)
{
	if (pa != 0 && tenant[i].places < PLACES)
		ask(NIE_PAGE_SHARED_ADD, i, ipa, pa, 1, 0, 0);
}

void add_block(uint32_t i)
{
	if (!serves(block) && tenant[i].places < PLACES)
		ask(NIE_PAGE_ADD_ZERO, i, BLOCK, block, 512, 2, 0);
}

void split_block(uint32_t i)
{
	uint64_t pa = fresh();

	if (pa != 0 && tenant[i].places < PLACES)
		ask(NIE_TABLE_ADD, i, BLOCK, 3, pa, 0, 0);
}

static void table(uint32_t i, uint64_t ipa, uint64_t level)
{
	ask(NIE_TABLE_ADD, i, ipa, level, fresh(), 0, 0);
}

/* Any failure shows when it runs: the same in both runs, and in the record. */
void build(uint32_t i, enum program program, guest_program *code)
{
	ask(NIE_VM_CREATE, i, fresh(), WINDOW, WINDOW_PAGES, 1, 0);
	table(i, WINDOW, 2);
	table(i, WINDOW, 3);
	table(i, SHARED, 2);
	table(i, SHARED, 3);
	for (uint64_t at = 0; at < GUEST_BYTES; at += PAGE) {
		uint64_t pa = fresh();

		for (uint64_t w = 0; w < PAGE; w += 8)
			store(pa + w, load((uint64_t)guest_start + at + w));
		ask(NIE_PAGE_ADD, i, WINDOW + at, pa, 1, 0, 0);
	}
	add_zero(i, STACKS);
	add_zero(i, SCRATCH);
	for (uint64_t p = 0; p < SECRET_PAGES; p++)
		add_zero(i, DATA + p * PAGE);
	if (program == WATCHER)
		add_shared(i, SHARED, fresh());

	uint64_t context = fresh(), run = fresh();

	while (run == context)
		run = fresh();
	ask(NIE_VCPU_CREATE, i, 0, context, run, WINDOW, (uint64_t)code - (uint64_t)guest_start);
	ask(NIE_VM_ACTIVATE, i, 0, 0, 0, 0, 0);
	tenant[i].program = program;
}

static void take(uint32_t i, struct place p, uint64_t level)
{
	if (p.level >= PLACE_PAGE && level == PLACE_PAGE)
		ask(NIE_PAGE_REMOVE, i, p.ipa, p.level == PLACE_PAGE ? 1 : 512, 0, 0, 0);
	else if (p.level == level)
		ask(NIE_TABLE_REMOVE, i, p.ipa, p.level, 0, 0, 0);
	else
		return;
	note_page(0, p.pa);
}

/* What comes back is looked at before anything else happens to it. */
void destroy(uint32_t i)
{
	struct tenant *t = &tenant[i];

	ask(NIE_VM_STOP, i, 0, 0, 0, 0, 0);
	if (place_at(i, BLOCK) != NULL && place_at(i, BLOCK)->level == PLACE_BLOCK)
		split_block(i);
	/* Pages, then their tables, then those above. */
	for (uint64_t level = PLACE_PAGE; level >= 2; level--) {
		for (uint64_t n = t->places; n-- > 0;)
			take(i, t->place[n], level);
	}
	uint64_t context = t->context, root = t->root;

	ask(NIE_VCPU_DESTROY, i, 0, 0, 0, 0, 0);
	note_page(0, context);
	ask(NIE_VM_DESTROY, i, 0, 0, 0, 0, 0);
	note_page(0, root);
}
