/* SPDX-License-Identifier: Apache-2.0 */
#include "../donate.h"
#include "../host.h"
#include "../prim.h"

void donate(uint32_t vm, struct pfn p, uint64_t count, struct granule g)
{
	for (uint64_t i = 0; i < count; i++) {
		struct granule each = g;

		each.key = g.key + (uint32_t)i;
		granule_set((struct pfn){ p.n + i }, each);
	}
	vms[vm].granules = vms[vm].granules + count;
	if (g.state != GRANULE_SHARED && g.state != GRANULE_RUN)
		host_hide(p, count);
}

void release(uint32_t vm, struct pfn p)
{
	granule_set(p, (struct granule){ GRANULE_HOST, 0, 0, 0, 0 });
	vms[vm].granules = vms[vm].granules - 1;
}

void give_back(uint32_t vm, struct pfn p)
{
	/* The last owner's data must be gone, from memory too, before the host can look. */
	page_zero(p);
	page_clean(p);
	release(vm, p);
	host_show(p);
}
