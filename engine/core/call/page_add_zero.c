/* SPDX-License-Identifier: Apache-2.0 */
/* HOST => DATA(vm, ipa), zeroed; as pages, or as one 2 MiB block. spec/call/page_add_zero.v */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../measure.h"
#include "../pages.h"
#include "../prim.h"

static uint32_t check(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count, uint64_t level)
{
	uint32_t status = check_vm(vm, NIE_VM_BUILDING, NIE_VM_ACTIVE);

	if (status != NIE_OK)
		return status;
	if (level != LEVEL_BLOCK && level != LEVEL_PAGE)
		return NIE_E_LEVEL;
	if (level == LEVEL_BLOCK && count != ENTRIES)
		return NIE_E_COUNT;
	status = check_placement((uint32_t)vm, ipa, pa, count);
	if (status != NIE_OK)
		return status;
	return check_empty((uint32_t)vm, page_of(ipa), (uint32_t)level,
			   level == LEVEL_PAGE ? count : 1);
}

uint64_t call_page_add_zero(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count, uint64_t level)
{
	uint32_t status = check(vm, ipa, pa, count, level);

	if (status != NIE_OK)
		return status;

	uint32_t i = (uint32_t)vm;
	struct pfn p = { page_of(pa) };
	struct ifn at = { page_of(ipa) };

	donate(i, p, count, (struct granule){ GRANULE_DATA, (uint8_t)i, 0, 0, (uint32_t)at.n });
	pages_scrub(p, count);
	ic_invalidate();
	if (level == LEVEL_PAGE) {
		pages_map(i, at, p, count, DESC_NORMAL);
	} else {
		struct walk w = s2_walk(i, at, LEVEL_BLOCK);

		s2_write(w, pa | DESC_NORMAL | DESC_BLOCK);
	}
	if (vms[i].state == NIE_VM_BUILDING)
		measure_record(i, MEASURE_ZERO, ipa, count, 0);
	return NIE_OK;
}
