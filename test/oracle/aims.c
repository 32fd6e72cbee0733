/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to aim at: pages of the host, places in a VM, what a VM has. */
#include "oracle.h"

/* A page that the host owns, if one is found soon. */
uint64_t host_page(uint64_t align)
{
	uint64_t p = RAM_BASE;

	for (uint32_t i = 0; i < 16; i++) {
		/* Whole 2 MiB stay for blocks in the upper half. */
		p = RAM_BASE +
		    below(align == 1 && below(64) != 0 ? RAM_PAGES / 2 : RAM_PAGES) / align * align;
		if (granules[p - RAM_BASE].state == GRANULE_HOST)
			break;
	}
	return p;
}

uint64_t an_ipa(uint64_t vm, bool shared)
{
	uint64_t x = vms[vm].ram_base + below(64);

	if (below(4) == 0)
		x = vms[vm].ram_base + below(vms[vm].ram_pages + 1);
	if (below(4) == 0)
		x = x / 512 * 512 + 512 * below(3);
	if (shared)
		x = (1 << 26) + below(1024);
	return x;
}

/* A granule of the VM in one of two states, and at that level. */
const struct granule *find(uint64_t vm, uint32_t s, uint32_t or_s, uint32_t level)
{
	uint64_t from = below(RAM_PAGES);

	for (uint64_t i = 0; i < RAM_PAGES; i++) {
		const struct granule *g = &granules[(from + i) % RAM_PAGES];

		if (g->vm == vm && (g->state == s || g->state == or_s) && g->level == level)
			return g;
	}
	return NULL;
}

/* A table that leads nowhere, though it may hold Spent entries. */
bool holds_nothing(const struct granule *g)
{
	for (uint32_t i = 0; i < ENTRIES; i++) {
		if (desc_valid(memory[g - granules][i]))
			return false;
	}
	return true;
}

uint64_t a_spent_ipa(uint64_t vm)
{
	const struct granule *g = find(vm, GRANULE_TABLE, GRANULE_TABLE, LEVEL_PAGE);
	uint64_t from = below(ENTRIES);

	for (uint64_t i = 0; g != NULL && i < ENTRIES; i++) {
		if (memory[g - granules][(from + i) % ENTRIES] == DESC_SPENT)
			return g->key * ENTRIES + (from + i) % ENTRIES;
	}
	return an_ipa(vm, false);
}
