/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns each page of RAM, and the checks on what the host hands over. */
#ifndef NIE_GRANULE_H
#define NIE_GRANULE_H

#include "state.h"

/* Byte address is a multiple of `pages` pages (a power of two). */
static inline bool aligned(uint64_t address, uint64_t pages)
{
	return (address & (pages * NIE_PAGE_SIZE - 1)) == 0;
}

static inline uint64_t page_of(uint64_t address)
{
	return address >> NIE_PAGE_SHIFT;
}

static inline uint64_t address_of(uint64_t page)
{
	return page << NIE_PAGE_SHIFT;
}

/* p is RAM that the granule table describes. */
bool granule_exists(struct pfn p);
/* Requires granule_exists(p). */
struct granule granule_get(struct pfn p);
void granule_set(struct pfn p, struct granule g);

/* 1..512 pages that do not leave the 2 MiB in which the first one lies. */
bool range_ok(uint64_t first, uint64_t count);

/*
 * NIE_OK when `count` pages from p, a range_ok, are RAM (else NIE_E_PA) and the host's own (else
 * NIE_E_OWNER).
 */
uint32_t host_owns(struct pfn p, uint64_t count);

/*
 * count pages from p leave the host for `vm`: HOST => state(vm, key, key + 1, ...). Requires host_owns;
 * afterwards no walk and no TLB entry of the host reaches them.
 */
void donate(uint32_t vm, struct pfn p, uint64_t count, struct granule g);
/*
 * One page goes back: anything(vm) => HOST, zeroed. Requires that no walk or TLB entry of a VM reaches it,
 * and that the host does not map it.
 */
void give_back(uint32_t vm, struct pfn p);
/* The same for a page that the host maps already (SHARED, RUN): nothing is zeroed. */
void release(uint32_t vm, struct pfn p);

#endif
