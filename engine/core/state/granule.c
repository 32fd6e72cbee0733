/* SPDX-License-Identifier: Apache-2.0 */
#include "../granule.h"

bool granule_exists(struct pfn p)
{
	return p.n >= config.word[MAN_RAM_BASE] &&
	       p.n - config.word[MAN_RAM_BASE] < config.word[MAN_RAM_PAGES];
}

struct granule granule_get(struct pfn p)
{
	return granules[p.n - config.word[MAN_RAM_BASE]];
}

void granule_set(struct pfn p, struct granule g)
{
	granules[p.n - config.word[MAN_RAM_BASE]] = g;
}

bool range_ok(uint64_t first, uint64_t count)
{
	return count >= 1 && count <= NIE_RANGE_MAX && (first & 511) + count <= 512;
}

uint32_t host_owns(struct pfn p, uint64_t count)
{
	/* RAM begins and ends at 2 MiB, so the range is all RAM or none. */
	if (!granule_exists(p))
		return NIE_E_PA;
	for (uint64_t i = 0; i < count; i++) {
		struct granule g = granule_get((struct pfn){ p.n + i });

		if (g.state != GRANULE_HOST)
			return NIE_E_OWNER;
	}
	return NIE_OK;
}
