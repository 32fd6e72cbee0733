/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's calls. They are made from the state, so that they get far, and then bent a little: one argument off
 * by one, by a page, at a border, or anything.
 */
#include "oracle.h"

uint32_t pick(const uint8_t *weights, uint32_t n)
{
	uint32_t sum = 0;
	uint64_t r;

	for (uint32_t i = 0; i < n; i++)
		sum += weights[i] + 1u;
	r = below(sum);
	for (uint32_t i = 0; i < n; i++) {
		if (r < weights[i] + 1u)
			return i;
		r -= weights[i] + 1u;
	}
	return 0;
}

static uint64_t a_vm(const struct profile *p)
{
	return below(64) == 0 ? NIE_MAX_VMS - 1 : below(p->vms);
}

static uint64_t some_count(const struct profile *p, uint64_t x)
{
	if (chance(p->big))
		return 512 - x % 512;
	return 1 + below(below(4) == 0 ? 16 : 3);
}

void bend(uint64_t *x)
{
	switch (below(9)) {
	case 0:
		*x += 1;
		break;
	case 1:
		*x -= 1;
		break;
	case 2:
		*x += 4096;
		break;
	case 3:
		*x -= 4096;
		break;
	case 4:
		*x ^= 1ULL << below(64);
		break;
	case 5:
		*x = rnd();
		break;
	case 6:
		*x = 1ULL << below(64);
		break;
	case 7:
		*x = (uint64_t)0 - below(3);
		break;
	default:
		*x = below(600);
		break;
	}
}

static void make_vm(uint64_t *x)
{
	static const uint64_t bases[] = { 1,         512,       0x40000, 0x40001,
					  0x3ffff00, 0x3fffe00, 0,       0x4000000 };
	uint64_t base = bases[below(below(16) == 0 ? 8 : 6)];

	x[2] = host_page(1) << 12;
	x[3] = base << 12;
	x[4] = below(4) == 0 ? 1 + below(2048) : 600;
	if (x[4] > 0x4000000 - base)
		x[4] = 0x4000000 - base + (below(16) == 0);
	if (below(32) == 0)
		x[4] = 0;
	x[5] = 1 + below(below(4) == 0 ? 8 : 2);
}

static void make_vcpu(uint64_t vm, uint64_t *x)
{
	x[2] = below(vms[vm].vcpus + 1);
	for (uint32_t i = 0; i < vms[vm].vcpus && below(4) != 0; i++) {
		if (vcpus[vm * NIE_MAX_VCPUS + i].state == VCPU_NONE)
			x[2] = i;
	}
	x[3] = host_page(1) << 12;
	x[4] = below(32) == 0 ? x[3] : host_page(1) << 12;
	x[5] = (vms[vm].ram_base << 12) + below(1 << 16);
	x[6] = rnd();
}

/* What the walk at x lacks decides what to add, mostly. */
static void make_memory(const struct profile *p, uint64_t vm, uint64_t *x)
{
	bool shared = x[0] == NIE_PAGE_SHARED_ADD || below(8) == 0;
	uint64_t at = an_ipa(vm, shared);
	uint32_t level = LEVEL_PAGE;
	struct walk w = { 0 };

	if (vms[vm].state != NIE_VM_FREE && at >> 27 == 0)
		w = s2_walk((uint32_t)vm, (struct ifn){ at }, LEVEL_PAGE);
	if (w.level != 0 && w.level < LEVEL_PAGE && !desc_is_table(w.desc) && below(8) != 0) {
		x[0] = NIE_TABLE_ADD;
		if (w.level == 2 && below(4) == 0)
			x[0] = NIE_PAGE_ADD_ZERO;
		level = w.level;
	}
	x[2] = at << 12;
	x[3] = host_page(1) << 12;
	x[4] = some_count(p, at > x[3] / 4096 ? at : x[3] / 4096);
	x[5] = LEVEL_PAGE;
	if (x[0] == NIE_TABLE_ADD) {
		level = level == LEVEL_PAGE ? 1 + (uint32_t)below(2) : level;
		x[2] = at / entry_pages(level) * entry_pages(level) << 12;
		x[3] = level + 1;
		x[4] = host_page(1) << 12;
	} else if (x[0] == NIE_PAGE_ADD_ZERO && level == LEVEL_BLOCK) {
		x[2] = at / 512 * 512 << 12;
		x[3] = host_page(512) << 12;
		x[4] = 512;
		x[5] = LEVEL_BLOCK;
	}
}

static void make_removal(uint64_t vm, const struct profile *p, uint64_t *x)
{
	uint64_t at = an_ipa(vm, below(4) == 0);
	const struct granule *g;

	/* What the VM has, by the granule table. */
	g = find(vm, GRANULE_DATA, below(4) == 0 ? GRANULE_SHARED : GRANULE_DATA, 0);
	if (g != NULL && below(8) != 0)
		at = g->key;
	x[2] = at << 12;
	x[3] = some_count(p, at);
	if (x[0] == NIE_TABLE_REMOVE) {
		uint32_t level = 2 + (uint32_t)below(2);

		g = find(vm, GRANULE_TABLE, GRANULE_TABLE, 2 + (uint32_t)below(2));
		for (uint32_t i = 0; g != NULL && !holds_nothing(g) && i < 8; i++)
			g = find(vm, GRANULE_TABLE, GRANULE_TABLE, 2 + (uint32_t)below(2));
		if (g != NULL && below(8) != 0) {
			level = g->level;
			at = g->key * entry_pages(level - 1);
		}
		x[2] = at / entry_pages(level - 1) * entry_pages(level - 1) << 12;
		x[3] = level;
	}
}

static uint64_t a_list_register(void)
{
	switch (below(8)) {
	case 0:
		return rnd();
	case 1:
		return 1ULL << 62 | 1ULL << 61 | 27ULL << 32 | 27;
	case 2:
		return 3ULL << 62 | 1ULL << 61 | 27ULL << 32 | 27;
	case 3:
		return 1ULL << 62 | below(1100);
	case 4:
		return 1ULL << 62 | 1ULL << 41 | below(40) | 1ULL << 60;
	default:
		return 0;
	}
}

static void make_run(uint64_t vm, uint64_t *x)
{
	uint64_t page;
	bool lists = below(4) == 0;

	x[2] = below(vms[vm].vcpus + 1);
	for (uint32_t i = 0; i < NIE_MAX_VCPUS && below(8) != 0; i++) {
		if (vcpus[vm * NIE_MAX_VCPUS + i].state == VCPU_READY)
			x[2] = i;
	}
	page = vcpus[vm * NIE_MAX_VCPUS + x[2] % NIE_MAX_VCPUS].run;
	if (!is_ram(page))
		return;
	for (uint32_t i = 0; i < RUN_IN_LR0; i++)
		memory[page - RAM_BASE][i] = below(4) == 0 ? below(8) : rnd();
	for (uint32_t i = RUN_IN_LR0; i < RUN_IN_END; i++)
		memory[page - RAM_BASE][i] = lists ? a_list_register() : 0;
}

static void fill_pages(uint64_t pa, uint64_t count)
{
	for (uint64_t p = pa / 4096; p < pa / 4096 + count && count <= 16 && is_ram(p); p++) {
		uint32_t s = granules[p - RAM_BASE].state;

		for (uint32_t n = 0; s == GRANULE_HOST && n < 4; n++)
			memory[p - RAM_BASE][below(512)] = rnd();
	}
}

/* The step that brings VM `vm` on, mostly; else any. */
static uint64_t which_call(const struct profile *p, uint64_t vm)
{
	static const uint32_t up[] = { NIE_PAGE_ADD, NIE_PAGE_ADD_ZERO, NIE_PAGE_ADD_ZERO,
				       NIE_PAGE_SHARED_ADD, NIE_TABLE_ADD };
	static const uint32_t down[] = { NIE_VCPU_DESTROY, NIE_TABLE_REMOVE, NIE_PAGE_REMOVE,
					 NIE_PAGE_REMOVE };
	const struct vm *m = &vms[vm];

	if (below(8) == 0)
		return NIE_VERSION + pick(p->call, 16);
	switch (m->state) {
	case NIE_VM_FREE:
		return NIE_VM_CREATE;
	case NIE_VM_BUILDING:
		if (m->created == m->vcpus && below(12) == 0)
			return NIE_VM_ACTIVATE;
		if (below(256) < p->stop / 16u)
			return NIE_VM_STOP;
		return m->created < m->vcpus && below(2) == 0 ? NIE_VCPU_CREATE : up[below(5)];
	case NIE_VM_ACTIVE:
		if (below(256) < p->stop / (m->running != 0 ? 2u : 16u))
			return NIE_VM_STOP;
		return below(2) == 0     ? NIE_VCPU_RUN
		       : chance(p->stop) ? down[1 + below(3)]
					 : up[1 + below(4)];
	default:
		if (m->granules == 1 || below(m->running != 0 ? 3 : 16) == 0)
			return NIE_VM_DESTROY;
		return down[m->running != 0 ? 0 : below(4)];
	}
}

static void make_arguments(const struct profile *p, uint64_t vm, uint64_t *x)
{
	switch (x[0]) {
	case NIE_VM_CREATE:
		make_vm(x);
		break;
	case NIE_VCPU_CREATE:
		make_vcpu(vm, x);
		break;
	case NIE_VCPU_DESTROY:
		x[2] = below(vms[vm].vcpus + 1);
		break;
	case NIE_VCPU_RUN:
		make_run(vm, x);
		break;
	case NIE_TABLE_ADD:
	case NIE_PAGE_ADD:
	case NIE_PAGE_ADD_ZERO:
	case NIE_PAGE_SHARED_ADD:
		make_memory(p, vm, x);
		break;
	case NIE_TABLE_REMOVE:
	case NIE_PAGE_REMOVE:
		make_removal(vm, p, x);
		break;
	default:
		break;
	}
}

void host_hvc(uint32_t cpu, const struct profile *p)
{
	uint64_t *x = cpus[cpu].x;
	uint64_t vm = a_vm(p);

	x[0] = which_call(p, vm);
	x[1] = vm;
	for (uint32_t i = 2; i < 7; i++)
		x[i] = below(4) == 0 ? rnd() : 0;
	make_arguments(p, vm, x);
	if (chance(p->wild))
		bend(&x[below(7)]);
	if (below(512) == 0)
		x[0] |= rnd() << 32;
	if (x[0] % (1ULL << 32) == NIE_PAGE_ADD)
		fill_pages(x[3], x[4]);
}
