/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that lead somewhere: a VM is built, lives, loses pages, is torn down, and its index is used again. */
#include "fuzz.h"

/* How far the building of each VM got, and its state: hints, since all CPUs are at it at once. */
static uint32_t phases[NIE_MAX_VMS], states[NIE_MAX_VMS + 1], loaded[NIE_MAX_VMS];

/* What a call says about the state of its VM. */
void state_seen(struct worker *w, const struct call *c)
{
	static const uint8_t after[FUNCTIONS + 1] = {
		[NIE_VM_CREATE - NIE_VERSION] = NIE_VM_BUILDING,
		[NIE_VM_ACTIVATE - NIE_VERSION] = NIE_VM_ACTIVE,
		[NIE_VM_STOP - NIE_VERSION] = NIE_VM_STOPPED,
	};
	uint64_t f = (c->function & 0xffffffff) - NIE_VERSION;
	struct call info = { NIE_VM_INFO, { c->a[0] }, 0, 0 };

	if (c->a[0] >= NIE_MAX_VMS || f >= FUNCTIONS)
		return;
	if (c->status == NIE_E_VM_STATE)
		states[c->a[0]] = make_call(w, &info).x[1] & 255;
	else if (c->status == NIE_OK && f == NIE_VM_DESTROY - NIE_VERSION)
		states[c->a[0]] = NIE_VM_FREE;
	else if (c->status == NIE_OK && after[f] != 0)
		states[c->a[0]] = after[f];
	if (c->status == NIE_OK && f == NIE_VM_CREATE - NIE_VERSION)
		loaded[c->a[0]] = 0;
	if (c->status == NIE_OK && f == NIE_PAGE_ADD - NIE_VERSION)
		loaded[c->a[0]] = 1;
}

static uint64_t program_of(struct worker *w, uint64_t i)
{
	uint64_t program = i < WORKERS ? (uint64_t)guest_worker : (uint64_t)guest_hostile;

	return (program - (uint64_t)guest_start) | below(w, 1 << 16) << 32;
}

/* A run of 16 pages of which only this CPU copies anything to, and the host's own if one is found. */
static uint64_t staging(struct worker *w)
{
	uint64_t pa = 0, used = 1;

	for (uint32_t n = 0; n < 12 && used != 0; n++) {
		uint64_t chunk = below(w, (RECORDS - ARENA - BLOCKS * MIB2) / (64 * PAGE) / CPUS);

		pa = ARENA + BLOCKS * MIB2 + (chunk * CPUS + w->cpu) * 64 * PAGE +
		     below(w, 4) * 16 * PAGE;
		used = 0;
		for (uint32_t i = 0; i < 8; i++)
			used |= owners[(pa - RAM) / PAGE + i];
	}
	return pa;
}

static struct call add_code(struct worker *w, uint64_t i)
{
	uint64_t pa = staging(w);

	/* A page that is not the host's by now: the call will be refused. */
	page_copy(pa, (uint64_t)guest_start, GUEST_BYTES);
	return (struct call){ NIE_PAGE_ADD, { i, WINDOW, pa, GUEST_BYTES / PAGE }, 0, 0 };
}

static struct call add_zero(struct worker *w, uint64_t i)
{
	uint64_t page = CHECKED + below(w, 64), count = chance(w, 80) ? 1 : 1 + below(w, 8);

	if (chance(w, 40))
		page = 512 * (1 + below(w, 3)) + below(w, 64);
	if (chance(w, 10))
		return (struct call){ NIE_PAGE_ADD_ZERO,
				      { i, WINDOW + (1 + below(w, 3)) * MIB2,
					ARENA + below(w, BLOCKS) * MIB2, 512, 2 },
				      0,
				      0 };
	return (struct call){
		NIE_PAGE_ADD_ZERO, { i, WINDOW + page * PAGE, pick_free_page(w), count, 3 }, 0, 0
	};
}

static struct call add_table(struct worker *w, uint64_t i)
{
	uint64_t ipa = chance(w, 70) ? WINDOW + below(w, 4) * MIB2 : SHARED;

	return (struct call){ NIE_TABLE_ADD, { i, ipa, 2 + below(w, 2), pick_free_page(w) }, 0, 0 };
}

static struct call create_vcpu(struct worker *w, uint64_t i, uint64_t k)
{
	uint64_t record = RECORDS + below(w, 64) * PAGE;

	return (struct call){
		NIE_VCPU_CREATE, { i, k, pick_free_page(w), record, WINDOW, program_of(w, i) }, 0, 0
	};
}

static struct call build(struct worker *w, uint64_t i)
{
	uint64_t page = pick_free_page(w);

	switch (phases[i]++ % 16) {
	case 0:
		return (struct call){ NIE_TABLE_ADD, { i, WINDOW, 2, page }, 0, 0 };
	case 1:
		return (struct call){ NIE_TABLE_ADD, { i, WINDOW, 3, page }, 0, 0 };
	case 2:
		return add_code(w, i);
	case 3:
		return (struct call){ NIE_PAGE_ADD_ZERO, { i, STACKS, staging(w), 8, 3 }, 0, 0 };
	case 4:
		return (struct call){ NIE_PAGE_ADD_ZERO, { i, DATA, staging(w), 4, 3 }, 0, 0 };
	case 5:
		return (struct call){ NIE_TABLE_ADD, { i, SHARED, 2, page }, 0, 0 };
	case 6:
		return (struct call){ NIE_TABLE_ADD, { i, SHARED, 3, page }, 0, 0 };
	case 7:
		return (struct call){ NIE_PAGE_SHARED_ADD, { i, SHARED, page, 1 }, 0, 0 };
	case 8:
	case 9:
		return add_zero(w, i);
	case 10:
	case 11:
	case 12:
		return create_vcpu(w, i, phases[i] % 16 - 11);
	case 13:
		/* Without a program it would not be worth its while. */
		if (!loaded[i] && !chance(w, 10)) {
			phases[i] = 0;
			return add_code(w, i);
		}
		return (struct call){ NIE_VM_ACTIVATE, { i }, 0, 0 };
	default:
		return add_table(w, i);
	}
}

struct call take(uint64_t page)
{
	uint64_t tag = owners[page], i = tag >> 48 & 255, place = tag & 0x7ffffff;

	switch (tag >> 56) {
	case OWN_ROOT:
		return (struct call){ NIE_VM_DESTROY, { i }, 0, 0 };
	case OWN_TABLE:
		return (struct call){ NIE_TABLE_REMOVE, { i, place * PAGE, tag >> 40 & 3 }, 0, 0 };
	case OWN_DATA:
	case OWN_SHARED:
		return (struct call){ NIE_PAGE_REMOVE, { i, place * PAGE, 1 }, 0, 0 };
	default:
		return (struct call){ NIE_VCPU_DESTROY, { i, place & 7 }, 0, 0 };
	}
}

/* An active VM if there is one, and most often the vCPU that is on. */
struct call enter_some(struct worker *w)
{
	uint64_t i = pick_vm(w), k = chance(w, 60) ? 0 : below(w, 3);

	for (uint32_t n = 0; n < 6 && i < WORKERS + 2 && states[i] != NIE_VM_ACTIVE; n++)
		i = (i + 1) % (WORKERS + 2);
	return (struct call){ NIE_VCPU_RUN, { i, k }, 0, 0 };
}

/* Pages and contexts first, then tables from below, then the VM: as they can be had. At times anything. */
static struct call tear_down(struct worker *w, uint64_t i)
{
	static const uint8_t ranks[OWN_END] = { 0, 1, 2, 5, 5, 5, 5 };
	uint64_t start = below(w, ARENA_PAGES), best = 0, best_rank = 0;

	if (chance(w, 20))
		return take(model_find(w, i) % RAM_PAGES);
	for (uint64_t n = 0; n < ARENA_PAGES && best_rank < 5; n++) {
		uint64_t page = (ARENA - RAM) / PAGE + (start + n) % ARENA_PAGES;
		uint64_t tag = owners[page], kind = tag >> 56;
		uint64_t rank =
			kind < OWN_END ? ranks[kind] + (kind == OWN_TABLE ? tag >> 40 & 1 : 0) : 0;

		if ((tag >> 48 & 255) == i && rank > best_rank) {
			best = page;
			best_rank = rank;
		}
	}
	return take(best);
}

static struct call live(struct worker *w, uint64_t i)
{
	switch (below(w, 40)) {
	case 0:
		if (chance(w, 25))
			return (struct call){ NIE_VM_STOP, { i }, 0, 0 };
		return add_table(w, i);
	case 1:
	case 2:
	case 3:
		return take(model_find(w, i) % RAM_PAGES);
	case 4:
	case 5:
		return add_table(w, i);
	case 6:
		return (struct call){ NIE_PAGE_SHARED_ADD,
				      { i, SHARED + below(w, 8) * PAGE, pick_free_page(w), 1 },
				      0,
				      0 };
	case 7:
		return (struct call){ NIE_PAGE_REMOVE,
				      { i, WINDOW + (CHECKED + below(w, 64)) * PAGE,
					1 + below(w, 4) },
				      0,
				      0 };
	case 8:
	case 9:
	case 10:
	case 11:
		return add_zero(w, i);
	default:
		return (struct call){ NIE_VCPU_RUN, { i, chance(w, 60) ? 0 : below(w, 3) }, 0, 0 };
	}
}

struct call advance(struct worker *w, uint64_t i)
{
	switch (states[i < NIE_MAX_VMS ? i : NIE_MAX_VMS]) {
	case NIE_VM_FREE:
		if (i < NIE_MAX_VMS)
			phases[i] = 0;
		return (struct call){ NIE_VM_CREATE,
				      { i, pick_free_page(w), WINDOW, WINDOW_PAGES,
					1 + below(w, 3) },
				      0,
				      0 };
	case NIE_VM_BUILDING:
		return build(w, i % NIE_MAX_VMS);
	case NIE_VM_ACTIVE:
		return live(w, i);
	default:
		return tear_down(w, i);
	}
}

/* A call that nothing can excuse from success, since no other is under way. */
static struct answer must(struct worker *w, struct call c)
{
	struct answer r = make_call(w, &c);

	if (r.x[0] != NIE_OK)
		broken(w, "taking back is refused", r.x[0], c.function);
	return r;
}

/* What one VM has. */
static uint16_t had[RAM_PAGES];
static uint32_t had_count;

/* A block is split before its pages can be had. */
static struct answer split_and_take(struct worker *w, struct call c)
{
	uint64_t table = pick_free_page(w);

	must(w, (struct call){ NIE_TABLE_ADD, { c.a[0], c.a[1] / MIB2 * MIB2, 3, table }, 0, 0 });
	had[had_count++] = (uint16_t)((table - RAM) / PAGE);
	c.a[2] = chance(w, 50) ? 512 : 1;
	return make_call(w, &c);
}

/* All that the VM has of one kind (tables: of one level). */
static void reap_kind(struct worker *w, uint64_t kind, uint64_t level)
{
	for (uint32_t n = 0; n < had_count; n++) {
		uint64_t tag = owners[had[n]];
		struct call c = take(had[n]);
		struct answer r;

		if (tag >> 56 != kind || (kind == OWN_TABLE && (tag >> 40 & 3) != level))
			continue;
		r = make_call(w, &c);
		if (r.x[0] == NIE_E_BLOCK)
			r = split_and_take(w, c);
		if (r.x[0] != NIE_OK || r.x[1] != RAM + (uint64_t)had[n] * PAGE)
			broken(w, "what was given does not come back", r.x[0], tag);
	}
}

void reap(struct worker *w, uint64_t i)
{
	had_count = 0;
	for (uint64_t page = 0; page < RAM_PAGES; page++) {
		if (owners[page] != 0 && (owners[page] >> 48 & 255) == i)
			had[had_count++] = (uint16_t)page;
	}
	must(w, (struct call){ NIE_VM_STOP, { i }, 0, 0 });
	reap_kind(w, OWN_CONTEXT, 0);
	reap_kind(w, OWN_DATA, 0);
	reap_kind(w, OWN_SHARED, 0);
	reap_kind(w, OWN_TABLE, 3);
	reap_kind(w, OWN_TABLE, 2);
	reap_kind(w, OWN_ROOT, 0);
}
