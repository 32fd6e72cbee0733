/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds whenever the lock is free: the tables, the TLBs and the granule table say the same. Written
 * from the text of state.h, without the core's own walk.
 */
#include "check.h"
#include "fake.h"

enum { GIB = 1 << 18 };

static uint64_t seen[NIE_MAX_VMS]; /* granules found by walking, and contexts and records */

static struct granule *granule_of(uint64_t page)
{
	static struct granule none = { 0xff, 0xff, 0xff, 0xff, 0xffffffff };

	return is_ram(page) ? &granules[page - RAM_BASE] : &none;
}

static void check_leaf(uint32_t vm, uint64_t ipa, uint64_t page)
{
	struct granule *g = granule_of(page);

	if ((g->state != GRANULE_DATA && g->state != GRANULE_SHARED) || g->vm != vm ||
	    g->key != (uint32_t)ipa || g->level != 0)
		violation("I-OWN: VM %u maps %#lx to page %#lx, not so its granule", vm, ipa, page);
	seen[vm]++;
}

static void check_tree(uint32_t vm, uint64_t table, uint32_t level, uint64_t base)
{
	struct granule *g = granule_of(table);
	uint64_t covers = 1ULL << 9 * (3 - level);

	if (g->state != GRANULE_TABLE || g->vm != vm || g->level != level ||
	    g->key != (uint32_t)(base / (covers * 512))) {
		violation("I-OWN: VM %u walks page %#lx, not so its granule", vm, table);
		return;
	}
	seen[vm]++;
	for (uint32_t i = 0; i < 512; i++) {
		uint64_t desc = peek(table, i);
		uint64_t ipa = base + i * covers;

		if ((desc & 1) == 0) {
			if (desc != DESC_EMPTY && (desc != DESC_SPENT || level != 3))
				violation("VM %u: bad invalid descriptor %#lx", vm, desc);
		} else if (level < 3 && (desc & 2) != 0) {
			check_tree(vm, desc >> 12 & 0xfffffffff, level + 1, ipa);
		} else {
			for (uint64_t k = 0; k < covers; k++)
				check_leaf(vm, ipa + k, (desc >> 12 & 0xfffffffff) + k);
		}
	}
}

static void check_vcpus(uint32_t vm)
{
	uint32_t running = 0, created = 0;

	for (uint32_t k = 0; k < NIE_MAX_VCPUS; k++) {
		struct vcpu *v = &vcpus[vm * NIE_MAX_VCPUS + k];
		struct granule *context = granule_of(v->context), *run = granule_of(v->run);

		if (v->state == VCPU_NONE)
			continue;
		created++;
		seen[vm] += 2;
		running += v->state == VCPU_RUNNING;
		if (v->state == VCPU_RUNNING && (cpus[v->cpu].vm != vm || cpus[v->cpu].vcpu != k))
			violation("VM %u, vCPU %u: runs on CPU %u?", vm, k, v->cpu);
		if (context->state != GRANULE_VCPU || context->vm != vm || context->key != k)
			violation("VM %u, vCPU %u: granule of its context", vm, k);
		if (run->state != GRANULE_RUN || run->vm != vm || run->key != k)
			violation("VM %u, vCPU %u: granule of its run record", vm, k);
	}
	if (running != vms[vm].running || created != vms[vm].created)
		violation("VM %u: %u run, %u exist", vm, vms[vm].running, vms[vm].created);
}

static void check_vm_state(uint32_t vm)
{
	static const struct vm none;

	if (vms[vm].state == NIE_VM_FREE) {
		if (__builtin_memcmp(&vms[vm], &none, sizeof(none)) != 0)
			violation("I-VM: VM %u is FREE and not all 0", vm);
		return;
	}
	check_tree(vm, vms[vm].root, 1, 0);
	check_vcpus(vm);
	if (seen[vm] != vms[vm].granules)
		violation("VM %u has %lu granules, not %lu", vm, seen[vm], vms[vm].granules);
}

/* The host's walk, from the text of host.h. */
static bool host_walk(uint64_t page, uint64_t *to)
{
	uint64_t l1 = peek(TABLES, (uint32_t)(page / GIB));
	uint64_t l2, l3;

	if ((l1 & 3) != 3)
		return false;
	l2 = peek(l1 >> 12 & 0xfffffffff, (uint32_t)(page / 512) & 511);
	*to = (l2 >> 12 & 0xfffffffff) + page % 512;
	if ((l2 & 3) != 3)
		return (l2 & 1) != 0;
	l3 = peek(l2 >> 12 & 0xfffffffff, (uint32_t)page & 511);
	*to = l3 >> 12 & 0xfffffffff;
	return (l3 & 3) == 3;
}

static void check_host(void)
{
	uint64_t to = 0;

	for (uint64_t page = RAM_BASE; page < RAM_BASE + RAM_PAGES; page++) {
		uint32_t s = granule_of(page)->state;
		bool may = s == GRANULE_HOST || s == GRANULE_SHARED || s == GRANULE_RUN;
		bool does = host_walk(page, &to);

		if (may != does || (does && to != page))
			violation("I-HOST: page %#lx in state %u, mapped %d to %#lx", page, s, does,
				  to);
	}
	for (uint64_t page = GICR; page < GICR + 32 * FAKE_CPUS; page += 32) {
		if (host_walk(page, &to))
			violation("the host maps the redistributor's page %#lx", page);
	}
}

/* Walks of a VM, for TLB entries. */
static bool vm_walk(uint32_t vm, uint64_t ipa, uint64_t *page, uint32_t *level)
{
	uint64_t table = vms[vm].root;

	for (uint32_t l = 1; l <= 3; l++) {
		uint64_t covers = 1ULL << 9 * (3 - l);
		uint64_t desc = peek(table, (uint32_t)(ipa / covers) & 511);

		if ((desc & 1) == 0)
			return false;
		*page = (desc >> 12 & 0xfffffffff) + ipa % covers;
		*level = l;
		if (l == 3 || (desc & 2) == 0)
			return true;
		table = desc >> 12 & 0xfffffffff;
	}
	return false;
}

static void check_entry(uint32_t vmid, uint64_t ipa, uint64_t page, uint32_t level)
{
	uint64_t to = 0;
	uint32_t at = level;
	bool found;

	if (vmid == 0)
		found = host_walk(ipa, &to);
	else
		found = vms[vmid - 1].root != 0 && vm_walk(vmid - 1, ipa, &to, &at);
	if (!found || to != page || at != level)
		violation("stale: VMID %u may still use %#lx -> page %#lx", vmid, ipa, page);
}

void invariants(void)
{
	uint64_t named[NIE_MAX_VMS] = { 0 };

	for (uint32_t vm = 0; vm < NIE_MAX_VMS; vm++) {
		seen[vm] = 0;
		check_vm_state(vm);
	}
	for (uint64_t n = 0; n < RAM_PAGES; n++) {
		if (granules[n].state > GRANULE_RUN || granules[n].zero != 0)
			violation("granule %#lx", n);
		if (granules[n].state > GRANULE_ENGINE)
			named[granules[n].vm % NIE_MAX_VMS]++;
	}
	for (uint32_t vm = 0; vm < NIE_MAX_VMS; vm++) {
		if (named[vm] != seen[vm])
			violation("VM %u: %lu granules name it, %lu are found", vm, named[vm],
				  seen[vm]);
	}
	check_host();
	tlb_each(check_entry);
}
