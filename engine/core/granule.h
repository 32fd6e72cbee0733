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

#endif
