/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of calls: most of them nearly right, some at an edge, some anything. */
#include "fuzz.h"

extern const char image_start[], bss_end[];

enum argument { NONE, VM, VCPU, VCPUS, PA, IPA, LEVEL, COUNT, BASE, SIZE, ENTRY, X0, ARGUMENTS };

/* Of each call, in the order of abi/nie.h. */
static const uint8_t kinds[FUNCTIONS][6] = {
	{ NONE },
	{ VM },
	{ VM, PA, BASE, SIZE, VCPUS },
	{ VM },
	{ VM },
	{ VM },
	{ VM, VCPU, PA, PA, ENTRY, X0 },
	{ VM, VCPU },
	{ VM, VCPU },
	{ VM, IPA, LEVEL, PA },
	{ VM, IPA, LEVEL },
	{ VM, IPA, PA, COUNT },
	{ VM, IPA, PA, COUNT, LEVEL },
	{ VM, IPA, COUNT },
	{ VM, IPA, PA, COUNT },
};

static uint64_t wild(struct worker *w)
{
	switch (below(w, 6)) {
	case 0:
		return next(w);
	case 1:
		return 1ULL << below(w, 64);
	case 2:
		return (1ULL << below(w, 64)) - PAGE;
	case 3:
		return ~0ULL - below(w, 2 * PAGE);
	case 4:
		return RAM + below(w, RAM_BYTES);
	default:
		return below(w, 64);
	}
}

uint64_t pick_vm(struct worker *w)
{
	uint64_t n = below(w, 100);

	if (n < 78)
		return VICTIMS + below(w, 6);
	if (n < 88)
		return below(w, VICTIMS);
	return n < 97 ? below(w, NIE_MAX_VMS) : NIE_MAX_VMS - 1 + below(w, 3);
}

uint64_t pick_free_page(struct worker *w)
{
	uint64_t held = pick_bait();

	if (held != 0 && chance(w, 25))
		return held;
	for (uint32_t i = 0; i < 16; i++) {
		uint64_t page = ARENA + below(w, ARENA_PAGES) * PAGE;

		/* Blocks are seldom broken up. */
		if (page < ARENA + BLOCKS * MIB2 && below(w, 500) != 0)
			continue;
		if (owners[(page - RAM) / PAGE] == 0)
			return page;
	}
	return ARENA + below(w, ARENA_PAGES) * PAGE;
}

static uint64_t pick_pa(struct worker *w)
{
	switch (below(w, 16)) {
	case 0:
		return ENGINE + below(w, 512) * PAGE;
	case 1:
		return RAM + RAM_BYTES - below(w, 3) * PAGE;
	case 2:
		return RAM + below(w, RAM_PAGES) * PAGE;
	case 3:
		return GICR + below(w, 8) * 0x10000;
	case 4:
		return (uint64_t)image_start + below(w, 64) * PAGE;
	case 5:
		return wild(w);
	case 6:
		return ARENA + below(w, BLOCKS) * MIB2;
	case 7:
		return ARENA + BLOCKS * MIB2 + below(w, (ARENA_PAGES - BLOCKS * 512) * PAGE);
	case 8:
		return ARENA + below(w, ARENA_PAGES) * PAGE;
	default:
		return pick_free_page(w);
	}
}

static uint64_t pick_ipa(struct worker *w)
{
	switch (below(w, 12)) {
	case 0:
		return SHARED + below(w, 512) * PAGE;
	case 1:
		return WINDOW + below(w, 8) * MIB2;
	case 2:
		return below(w, 512) << 30;
	case 3:
		return WINDOW + below(w, 2) * WINDOW_PAGES * PAGE - below(w, 2) * PAGE;
	case 4:
		return (1ULL << (38 + below(w, 2))) - below(w, 2) * PAGE;
	case 5:
		return WINDOW + below(w, WINDOW_PAGES * PAGE);
	case 6:
		return wild(w);
	case 7:
		return (owners[below(w, RAM_PAGES)] & 0x7ffffff) * PAGE;
	default:
		return WINDOW + (CHECKED + below(w, 1536)) * PAGE;
	}
}

static uint64_t pick_count(struct worker *w)
{
	static const uint16_t edges[] = { 0, 2, 15, 16, 17, 511, 512, 513 };

	switch (below(w, 8)) {
	case 0:
		return edges[below(w, 8)];
	case 1:
		return wild(w);
	case 2:
	case 3:
		return 1 + below(w, 32);
	default:
		return 1;
	}
}

static uint64_t pick(struct worker *w, uint8_t kind)
{
	switch (kind) {
	case VM:
		return pick_vm(w);
	case VCPU:
		return chance(w, 90) ? below(w, 3) : below(w, 10);
	case VCPUS:
		return chance(w, 80) ? 1 + below(w, 3) : below(w, 10);
	case PA:
		return pick_pa(w);
	case BASE:
		return chance(w, 50) ? WINDOW : pick_ipa(w);
	case SIZE:
		return chance(w, 50) ? WINDOW_PAGES : pick_count(w);
	case IPA:
	case ENTRY:
		return pick_ipa(w);
	case LEVEL:
		return chance(w, 90) ? 2 + below(w, 2) : below(w, 6);
	case COUNT:
		return pick_count(w);
	default:
		return wild(w);
	}
}

uint64_t pick_argument(struct worker *w, uint64_t function, uint32_t i)
{
	uint64_t f = (function & 0xffffffff) - NIE_VERSION;

	/* A function, or an argument of this kind, that does not exist. */
	if (f >= FUNCTIONS || chance(w, 2))
		return wild(w);
	return pick(w, kinds[f][i]);
}

/* The range meets the host's own image, stacks and tables. */
static bool is_own(uint64_t pa, uint64_t count)
{
	uint64_t bytes = count <= NIE_RANGE_MAX ? count * PAGE : 0;

	return pa < (uint64_t)bss_end && pa + bytes > (uint64_t)image_start;
}

/*
 * The programs, whole, in a page of this CPU's share, where no other CPU writes: not a copy of which somebody made a part.
 * A worker that lost an instruction finds its own secrets wrong.
 */
static bool is_program(struct worker *w, uint64_t pa)
{
	uint64_t word, from = (uint64_t)guest_start;

	if (pa % PAGE != 0 || pa < ARENA + BLOCKS * MIB2 || pa + GUEST_BYTES > RECORDS ||
	    (pa - ARENA) / (64 * PAGE) % CPUS != w->cpu)
		return false;
	for (uint64_t i = 0; i < GUEST_BYTES; i += 8) {
		if (try_load(pa + i, &word) != 0 || word != load(from + i))
			return false;
	}
	return true;
}

/* Something may come to this place of a worker's window only as the worker knows it. */
static bool confuses_worker(struct worker *w, uint64_t function, const uint64_t a[6])
{
	uint64_t code_end = WINDOW + GUEST_BYTES;

	if (function == NIE_VM_CREATE)
		return a[2] != WINDOW || a[3] != WINDOW_PAGES;
	if (function == NIE_VCPU_CREATE)
		return a[4] == WINDOW ? (a[5] & 0xffffffff) !=
						(uint64_t)guest_worker - (uint64_t)guest_start
				      : a[4] < code_end && a[4] > WINDOW;
	if (function == NIE_PAGE_ADD && a[1] == WINDOW && a[3] == GUEST_BYTES / PAGE)
		return !is_program(w, a[2]);
	if (function == NIE_PAGE_ADD)
		return (a[1] < code_end || a[1] + a[3] * PAGE > WINDOW + CHECKED * PAGE);
	return false;
}

static bool hurts_victim(uint64_t function, const uint64_t a[6])
{
	if (function == NIE_VM_STOP || function == NIE_TABLE_REMOVE)
		return true;
	return function == NIE_PAGE_REMOVE && a[1] < WINDOW + CHECKED * PAGE;
}

bool permitted(struct worker *w, uint64_t function, const uint64_t a[6])
{
	uint64_t f = (function & 0xffffffff);

	if (f < NIE_VERSION || f >= NIE_CALL_END)
		return true;
	for (uint32_t i = 0; i < 6; i++) {
		uint64_t count =
			f == NIE_PAGE_ADD || f == NIE_PAGE_ADD_ZERO || f == NIE_PAGE_SHARED_ADD
				? a[3]
				: 1;

		if (kinds[f - NIE_VERSION][i] == PA && is_own(a[i], count))
			return false;
	}
	if (a[0] < VICTIMS)
		return !hurts_victim(f, a);
	/* Only there is a record whose words somebody may still be writing. */
	if (f == NIE_VCPU_CREATE && a[3] < RECORDS && a[3] >= ARENA)
		return false;
	return a[0] >= WORKERS || !confuses_worker(w, f, a);
}
