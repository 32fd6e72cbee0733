/* SPDX-License-Identifier: Apache-2.0 */
#include "../pages.h"
#include "../granule.h"
#include "../prim.h"

void pages_scrub(struct pfn p, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		page_zero((struct pfn){ p.n + i });
		page_clean((struct pfn){ p.n + i });
	}
}

void pages_map(uint32_t vm, struct ifn ipa, struct pfn p, uint64_t count, uint64_t attributes)
{
	struct walk w = s2_walk(vm, ipa, LEVEL_PAGE);

	for (uint64_t i = 0; i < count; i++)
		page_write((struct pfn){ w.table }, w.index + (uint32_t)i,
			   address_of(p.n + i) | attributes | DESC_PAGE);
	dsb_ish();
}
