/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns what. Each call that succeeds adds its tag to the pages that it took, or subtracts it from those that it gave
 * back. Sums do not depend on the order, so nobody needs to know in which order the calls took the engine's lock: when
 * no call is under way, each page has exactly the tag of its owner, or 0. A page given twice has the tag of nobody.
 */
#include "fuzz.h"

uint64_t owners[RAM_PAGES];
static uint64_t counts[NIE_MAX_VMS];
enum { SEEN = 65536 };
static uint64_t seen[SEEN];

static void add(struct worker *w, uint64_t pa, uint64_t tag)
{
	if (pa < RAM || pa >= (uint64_t)RAM + RAM_BYTES)
		broken(w, "a page that is not RAM", pa, RAM);
	__atomic_fetch_add(&owners[(pa - RAM) / PAGE], tag, __ATOMIC_RELAXED);
}

static void add_range(struct worker *w, uint64_t pa, uint64_t count, uint64_t tag, bool back)
{
	for (uint64_t i = 0; i < count; i++)
		add(w, pa + i * PAGE, back ? -(tag + i) : tag + i);
}

/* Another CPU of the host may be copying the programs to this page meanwhile: is the word the one that belongs here? */
static bool is_staged(uint64_t at, uint64_t word)
{
	uint64_t offset = (at - ARENA) % (16 * PAGE);

	return at >= ARENA && offset < GUEST_BYTES && load((uint64_t)guest_start + offset) == word;
}

/* What comes back from a VM holds nothing of it. Another CPU may have handed the page over again meanwhile: a fault. */
static void check_given_back(struct worker *w, uint64_t pa, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t found = 0, page = pa + i * PAGE;
		/* To the first words of a record another CPU may be writing. */
		uint64_t first = page >= RECORDS ? RUN_IN_END : 0;

		if (page_scan(page, first, &found) != 1)
			continue;
		for (uint64_t n = first; n < 512; n++) {
			if (try_load(page + 8 * n, &found) != 0)
				break;
			if (found != 0 && found != HOST_MARK && !is_staged(page + 8 * n, found))
				broken(w, "a page that came back holds", found, page + 8 * n);
		}
	}
}

static uint64_t table_tag(uint64_t vm, uint64_t ipa, uint64_t level)
{
	return TAG(OWN_TABLE, vm, level << 40 | ipa / PAGE);
}

static uint64_t page_tag(uint64_t vm, uint64_t ipa)
{
	return TAG(ipa >= SHARED ? OWN_SHARED : OWN_DATA, vm, ipa / PAGE);
}

static void apply_taking(struct worker *w, const struct call *c)
{
	const uint64_t *a = c->a;

	switch (c->function & 0xffffffff) {
	case NIE_VM_CREATE:
		add(w, a[1], TAG(OWN_ROOT, a[0], 0));
		return;
	case NIE_VCPU_CREATE:
		add(w, a[2], TAG(OWN_CONTEXT, a[0], a[1]));
		add(w, a[3], TAG(OWN_RUN, a[0], a[1]));
		vcpu_created(c);
		return;
	case NIE_TABLE_ADD:
		add(w, a[3], table_tag(a[0], a[1], a[2]));
		return;
	case NIE_PAGE_ADD:
	case NIE_PAGE_ADD_ZERO:
	case NIE_PAGE_SHARED_ADD:
		add_range(w, a[2], a[3], page_tag(a[0], a[1]), false);
		return;
	default:
		return;
	}
}

void model_apply(struct worker *w, const struct call *c, const struct answer *r)
{
	const uint64_t *a = c->a;
	uint64_t back = r->x[1];

	switch (c->function & 0xffffffff) {
	case NIE_VM_DESTROY:
		check_given_back(w, back, 1);
		add(w, back, -TAG(OWN_ROOT, a[0], 0));
		return;
	case NIE_VCPU_DESTROY:
		check_given_back(w, back, 1);
		add(w, back, -TAG(OWN_CONTEXT, a[0], a[1]));
		add(w, r->x[2], -TAG(OWN_RUN, a[0], a[1]));
		return;
	case NIE_TABLE_REMOVE:
		check_given_back(w, back, 1);
		add(w, back, -table_tag(a[0], a[1], a[2]));
		return;
	case NIE_PAGE_REMOVE:
		if (a[1] < SHARED)
			check_given_back(w, back, a[2]);
		add_range(w, back, a[2], page_tag(a[0], a[1]), true);
		return;
	default:
		apply_taking(w, c);
	}
}

void model_victims(void)
{
	struct worker *w = &workers[0];

	for (uint64_t i = 0; i < VICTIMS; i++) {
		add(w, vm[i].root, TAG(OWN_ROOT, i, 0));
		add_range(w, vm[i].code, GUEST_BYTES / PAGE, page_tag(i, WINDOW), false);
		add_range(w, vm[i].stacks, NIE_MAX_VCPUS, page_tag(i, STACKS), false);
		add_range(w, vm[i].data, DATA_PAGES, page_tag(i, DATA), false);
		for (uint32_t t = 0; t < vm[i].table_count; t++)
			add(w, vm[i].tables[t].pa,
			    table_tag(i, vm[i].tables[t].ipa, vm[i].tables[t].level));
		for (uint32_t k = 0; k < vm[i].vcpus; k++) {
			add(w, vm[i].context[k], TAG(OWN_CONTEXT, i, k));
			add(w, vm[i].run[k], TAG(OWN_RUN, i, k));
			records[i][k] = vm[i].run[k];
		}
	}
}

uint64_t model_find(struct worker *w, uint64_t vm_index)
{
	uint64_t start = below(w, ARENA_PAGES);

	for (uint64_t i = 0; i < ARENA_PAGES; i++) {
		uint64_t page = (ARENA - RAM) / PAGE + (start + i) % ARENA_PAGES;

		if (owners[page] != 0 && (owners[page] >> 48 & 255) == vm_index)
			return page;
	}
	return RAM_PAGES;
}

/* No place has two pages: each tag occurs once. */
static void check_once(struct worker *w, uint64_t tag)
{
	uint64_t at = tag * 0x9e3779b97f4a7c15ULL >> 48;

	while (seen[at] != 0 && seen[at] != tag)
		at = (at + 1) % SEEN;
	if (seen[at] == tag)
		broken(w, "two pages in one place", tag, 0);
	seen[at] = tag;
}

/* Most pages are only looked into, which takes an eighth of the time. */
static void check_page(struct worker *w, uint64_t page, bool whole)
{
	uint64_t tag = owners[page], kind = tag >> 56, found = 0;
	uint64_t at = RAM + page * PAGE, scan = page_scan(at, whole ? 0 : 448, &found);
	bool open = kind == OWN_HOST || kind == OWN_SHARED || kind == OWN_RUN;

	if (kind >= OWN_END || (tag >> 48 & 255) >= NIE_MAX_VMS || (kind == OWN_HOST && tag != 0))
		broken(w, "a page with two owners", at, tag);
	if (open != (scan != 2))
		broken(w, open ? "the host cannot read its page" : "the host reads the page", at,
		       tag);
	if (scan == 1 && found >> 48 == SECRET_MARK)
		broken(w, "the host finds a secret", found, at);
	if (tag != 0) {
		counts[tag >> 48 & 255]++;
		check_once(w, tag);
	}
}

static void check_counts(struct worker *w, bool all)
{
	for (uint64_t i = 0; i < NIE_MAX_VMS; i++) {
		struct call c = { NIE_VM_INFO, { i }, 0, 0 };
		struct answer r;

		if (counts[i] == 0 && !all)
			continue;
		r = make_call(w, &c);
		if (r.x[0] != NIE_OK || r.x[1] >> 8 != 0)
			broken(w, "vCPUs run", r.x[1], i);
		if (r.x[2] != counts[i])
			broken(w, "granules of a VM", r.x[2], counts[i]);
		if ((r.x[1] == NIE_VM_FREE) != (counts[i] == 0))
			broken(w, "state of a VM", r.x[1], counts[i]);
	}
}

extern const char image_start[], bss_end[];

void model_check(struct worker *w, bool all)
{
	uint64_t own = ((uint64_t)image_start - RAM) / PAGE,
		 own_end = ((uint64_t)bss_end - RAM) / PAGE;
	uint64_t arena = (ARENA - RAM) / PAGE, value;

	for (uint32_t i = 0; i < NIE_MAX_VMS; i++)
		counts[i] = 0;
	for (uint32_t i = 0; i < SEEN; i++)
		seen[i] = 0;
	for (uint64_t page = 0; page < RAM_PAGES; page++) {
		bool in_arena = page >= arena && page < arena + ARENA_PAGES;
		bool engine = page >= (ENGINE - RAM) / PAGE && page < (ENGINE - RAM) / PAGE + 512;

		if ((page >= own && page < own_end) || engine)
			continue;
		if (all || in_arena || owners[page] != 0)
			check_page(w, page, all || below(w, 16) == 0);
	}
	check_counts(w, all);
	if (try_load(ENGINE + below(w, 512) * PAGE, &value) == 0)
		broken(w, "the host reads the engine", value, 0);
}
