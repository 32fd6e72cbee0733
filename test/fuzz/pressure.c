/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on what a CPU may have cached: a page changes hands while somebody uses it without a pause. */
#include "fuzz.h"

enum { HOLDS = 120, LOOKS = 6 };

/* A page that a CPU of the host does not let go of: others give it away meanwhile. */
static volatile uint64_t bait;
/* Calls that give pages back, begun and ended: while these agree, a page that is not the host's stays so. */
static uint64_t returns_begun, returns_ended;
/* Where each VM tells what it works on. */
static uint64_t boards[NIE_MAX_VMS];

uint64_t pick_bait(void)
{
	return bait;
}

static bool gives_back(uint64_t function)
{
	uint64_t f = function & 0xffffffff;

	return f == NIE_PAGE_REMOVE || f == NIE_TABLE_REMOVE || f == NIE_VCPU_DESTROY ||
	       f == NIE_VM_DESTROY;
}

void return_begins(const struct call *c)
{
	if (gives_back(c->function))
		__atomic_fetch_add(&returns_begun, 1, __ATOMIC_SEQ_CST);
}

void return_ends(const struct call *c)
{
	if (gives_back(c->function))
		__atomic_fetch_add(&returns_ended, 1, __ATOMIC_SEQ_CST);
	else if (c->function == NIE_PAGE_SHARED_ADD && c->a[1] == SHARED && c->a[0] < NIE_MAX_VMS)
		boards[c->a[0]] = c->a[2];
}

/*
 * Write a page until it is gone; one of this CPU's share: others copy programs to theirs. A write that succeeds after that
 * went through a stale entry.
 */
void hold(struct worker *w)
{
	uint64_t page = ARENA + BLOCKS * MIB2 + (below(w, 7) * CPUS + w->cpu) * 64 * PAGE;

	page += below(w, 64) * PAGE;
	if (page >= RECORDS)
		return;
	bait = page;
	for (uint32_t n = 0; n < HOLDS; n++) {
		uint64_t ended = __atomic_load_n(&returns_ended, __ATOMIC_SEQ_CST);
		uint64_t begun = __atomic_load_n(&returns_begun, __ATOMIC_SEQ_CST);
		uint64_t tag = __atomic_load_n(&owners[(page - RAM) / PAGE], __ATOMIC_SEQ_CST);
		uint64_t esr = try_store(page + 8 * below(w, 512), HOST_MARK);

		if (esr == 0 && tag != 0 && tag >> 56 != OWN_SHARED && begun == ended &&
		    begun == __atomic_load_n(&returns_begun, __ATOMIC_SEQ_CST))
			broken(w, "the host writes a page that is not its own", page, tag);
		if (esr != 0)
			break;
	}
	bait = 0;
}

/* Take the very page that a worker writes, and look whether it goes on writing. */
void rob(struct worker *w)
{
	uint64_t i = VICTIMS + below(w, WORKERS - VICTIMS), board = boards[i], ipa, found = 0;
	struct call c = { NIE_PAGE_REMOVE, { i, 0, 1 }, 0, 0 };
	struct answer r;

	if (board == 0 || try_load(board + 8 * below(w, 2), &ipa) != 0)
		return;
	if (ipa < WINDOW + CHECKED * PAGE || ipa >= WINDOW + WINDOW_PAGES * PAGE)
		return;
	c.a[1] = ipa / PAGE * PAGE;
	r = make_call(w, &c);
	if (r.x[0] != NIE_OK)
		return;
	for (uint32_t n = 0; n < LOOKS; n++) {
		if (page_scan(r.x[1], r.x[1] >= RECORDS ? RUN_IN_END : 0, &found) == 1 &&
		    found >> 48 == SECRET_MARK)
			broken(w, "a VM writes a page that was taken", r.x[1], found);
	}
}
