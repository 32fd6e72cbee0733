/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the TLBs and walkers of all CPUs may hold. An entry is there from the moment when a walk could
 * have made it until a TLBI of its VMID completes: all stores that removed it lie before a DSB, the DSB
 * before the TLBI, and another DSB after it [ArmARM, D8.16, D8.17].
 */
#include "fake.h"
#include <string.h>

struct meta meta[RAM_PAGES];

/* (VMID, IPA page) -> page and level: a hash table; entries of an old generation do not exist. */
enum { SLOTS = 1 << 15 };
static struct entry {
	uint64_t ipa;
	uint64_t page;
	uint32_t vmid;
	uint32_t level;
	uint32_t generation;
} entries[SLOTS];
static uint32_t generation[VMIDS];
static uint64_t roots[VMIDS];
static uint32_t own_entries[NIE_MAX_CPUS][NIE_MAX_VMS]; /* vCPU + 1 with private entries there */
static uint32_t local_tlbi[NIE_MAX_CPUS];
static vmids unsynced; /* a store that changed a valid entry is not yet complete */
static vmids flushing; /* a TLBI is under way */
static vmids spoiled;  /* it came too early */

static vmids bit(uint32_t vmid)
{
	return (vmids)1 << vmid;
}

void tlb_reset(void)
{
	memset(entries, 0, sizeof(entries));
	memset(roots, 0, sizeof(roots));
	memset(own_entries, 0, sizeof(own_entries));
	for (uint32_t v = 0; v < VMIDS; v++)
		generation[v]++;
	unsynced = flushing = spoiled = 0;
}

static struct entry *slot(uint32_t vmid, uint64_t ipa)
{
	uint64_t h = (ipa * 0x9e3779b97f4a7c15ULL + vmid * 0xc2b2ae3d27d4eb4fULL) >> 32;

	for (uint32_t i = 0; i < SLOTS; i++) {
		struct entry *e = &entries[(h + i) & (SLOTS - 1)];

		if (e->generation == 0 || (e->vmid == vmid && e->ipa == ipa))
			return e;
	}
	violation("the fake's TLB is full");
	return &entries[0];
}

bool tlb_lookup(uint32_t vmid, uint64_t ipa, uint64_t *page, uint32_t *level)
{
	struct entry *e = slot(vmid, ipa);

	if (e->generation != generation[vmid])
		return false;
	*page = e->page;
	*level = e->level;
	return true;
}

/* Nobody reaches a page of another's; SHARED ones and the host's own are the exception. */
static void check_owner(uint32_t v, uint64_t ipa, uint64_t page, struct meta *m)
{
	uint32_t state = granules[page - RAM_BASE].state;
	uint32_t vm = granules[page - RAM_BASE].vm;
	bool host = state == GRANULE_HOST || state == GRANULE_SHARED || state == GRANULE_RUN;
	bool mine = (state == GRANULE_DATA || state == GRANULE_SHARED) && vm + 1 == v;

	if (v == 0 ? !host : !mine)
		violation("VMID %u reaches page %#lx in state %u of VM %u", v, page, state, vm);
	if (v != 0 && granules[page - RAM_BASE].key != (uint32_t)ipa)
		violation("VMID %u reaches page %#lx at %#lx", v, page, ipa);
	if ((m->reach & ~bit(v)) != 0 && state != GRANULE_SHARED)
		violation("page %#lx becomes VMID %u's while another may reach it", page, v);
	if (m->walk != 0)
		violation("page %#lx becomes VMID %u's while it may be walked", page, v);
	if (m->owner != v + 1 && m->reach == 0 && !m->clean && roots[0] != 0)
		violation("page %#lx becomes VMID %u's uncleaned", page, v);
}

static void learn_page(uint32_t v, uint64_t ipa, uint64_t page, uint32_t level, bool exec)
{
	struct entry *e = slot(v, ipa);
	struct meta *m = is_ram(page) ? &meta[page - RAM_BASE] : NULL;

	if (e->generation == generation[v] && (e->page != page || e->level != level))
		violation("break before make: VMID %u, IPA page %#lx", v, ipa);
	*e = (struct entry){ ipa, page, v, level, generation[v] };
	if (m == NULL) {
		if (v != 0)
			violation("VMID %u reaches device page %#lx", v, page);
		return;
	}
	check_owner(v, ipa, page, m);
	if (exec && (m->icached & ~bit(v)) != 0)
		violation("VMID %u may execute old instructions of page %#lx", v, page);
	m->reach |= bit(v);
	m->owner = v + 1;
	m->clean = false;
	if (exec) {
		m->exec |= bit(v);
		m->icached |= bit(v);
	}
}

static void learn_table(uint32_t v, uint64_t table, uint32_t level, uint64_t base);

static void learn(uint32_t v, uint32_t level, uint64_t ipa, uint64_t desc)
{
	if (!desc_valid(desc))
		return;
	if (level < LEVEL_PAGE && desc_is_table(desc)) {
		learn_table(v, desc_page(desc), level + 1, ipa);
		return;
	}
	for (uint64_t k = 0; k < entry_pages(level); k++)
		learn_page(v, ipa + k, desc_page(desc) + k, level, (desc >> 53 & 3) != 2);
}

static void learn_table(uint32_t v, uint64_t table, uint32_t level, uint64_t base)
{
	struct meta *m;

	if (!is_ram(table)) {
		violation("VMID %u walks page %#lx", v, table);
		return;
	}
	m = &meta[table - RAM_BASE];
	if (m->reach != 0)
		violation("table %#lx of VMID %u is within others' reach", table, v);
	if (m->walk != 0 && (m->walk != bit(v) || m->level != level || m->base != base))
		violation("table %#lx of VMID %u is used twice", table, v);
	m->walk |= bit(v);
	m->level = level;
	m->base = base;
	for (uint32_t i = 0; i < ENTRIES; i++)
		learn(v, level, base + i * entry_pages(level), peek(table, i));
}

void tlb_store(uint64_t page, uint32_t i, uint64_t old, uint64_t value)
{
	struct meta *m = &meta[page - RAM_BASE];

	for (uint32_t v = 0; v < VMIDS && m->walk != 0; v++) {
		if ((m->walk & bit(v)) == 0)
			continue;
		if (desc_valid(old) && old != value) {
			unsynced |= bit(v);
			spoiled |= flushing & bit(v);
		}
		learn(v, m->level, m->base + i * entry_pages(m->level), value);
	}
}

/* From now on walks of the VMID start here; 0: they stop, what is cached stays. */
void tlb_root(uint32_t vmid, uint64_t root)
{
	if (root != 0 && root != roots[vmid])
		learn_table(vmid, root, LEVEL_ROOT, 0);
	roots[vmid] = root;
}

void tlb_each(void (*visit)(uint32_t vmid, uint64_t ipa, uint64_t page, uint32_t level))
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct entry *e = &entries[i];

		if (e->generation != 0 && e->generation == generation[e->vmid])
			visit(e->vmid, e->ipa, e->page, e->level);
	}
}

static void flush(uint32_t v)
{
	for (uint32_t n = 0; n < RAM_PAGES; n++) {
		meta[n].reach &= ~bit(v);
		meta[n].walk &= ~bit(v);
		meta[n].exec &= ~bit(v);
	}
	generation[v]++;
	if (roots[v] != 0)
		learn_table(v, roots[v], LEVEL_ROOT, 0);
	for (uint32_t cpu = 0; cpu < NIE_MAX_CPUS && v != 0; cpu++)
		own_entries[cpu][v - 1] = 0;
}

void tlb_dsb(void)
{
	vmids done = flushing & ~spoiled;

	unsynced = flushing = spoiled = 0;
	for (uint32_t v = 0; v < VMIDS && done != 0; v++) {
		if ((done & bit(v)) != 0)
			flush(v);
	}
	if (local_tlbi[fake_cpu] > 1)
		own_entries[fake_cpu][local_tlbi[fake_cpu] - 2] = 0;
	local_tlbi[fake_cpu] = 0;
}

void tlbi_vmid(uint32_t vmid)
{
	fake_counts.tlbi++;
	fake_counts.changes++;
	flushing |= bit(vmid);
	spoiled |= unsynced & bit(vmid);
}

void tlbi_vmid_local(uint32_t vmid)
{
	fake_counts.tlbi_local++;
	fake_counts.changes++;
	local_tlbi[fake_cpu] = vmid + 1;
}

void tlb_resume(uint32_t cpu, uint32_t vm, uint32_t vcpu)
{
	if (own_entries[cpu][vm] != 0 && own_entries[cpu][vm] != vcpu + 1)
		violation("CPU %u: vCPU %u finds entries of vCPU %u", cpu, vcpu,
			  own_entries[cpu][vm] - 1);
	own_entries[cpu][vm] = vcpu + 1;
}

void tlb_ic(void)
{
	for (uint32_t n = 0; n < RAM_PAGES; n++)
		meta[n].icached = meta[n].exec;
}
