/* SPDX-License-Identifier: Apache-2.0 */
/* HOST => DATA(vm, ipa) with the host's content, measured. Before activation. spec/call/page_add.v */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../measure.h"
#include "../pages.h"
#include "../prim.h"

static uint32_t check(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count)
{
	uint32_t status = check_vm(vm, NIE_VM_BUILDING, NIE_VM_BUILDING);

	if (status != NIE_OK)
		return status;
	if (count > NIE_PAGE_ADD_MAX)
		return NIE_E_COUNT;
	status = check_placement((uint32_t)vm, ipa, pa, count);
	if (status != NIE_OK)
		return status;
	return check_empty((uint32_t)vm, page_of(ipa), LEVEL_PAGE, count);
}

uint64_t call_page_add(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count)
{
	uint32_t status = check(vm, ipa, pa, count);

	if (status != NIE_OK)
		return status;

	uint32_t i = (uint32_t)vm;
	struct pfn p = { page_of(pa) };
	struct ifn at = { page_of(ipa) };

	donate(i, p, count, (struct granule){ GRANULE_DATA, (uint8_t)i, 0, 0, (uint32_t)at.n });
	/* Hashed only now: the host can write the pages no more. */
	for (uint64_t k = 0; k < count; k++) {
		page_clean((struct pfn){ p.n + k });
		measure_record(i, MEASURE_PAGE, address_of(at.n + k), 0, 0);
		measure_page(i, (struct pfn){ p.n + k });
	}
	ic_invalidate();
	pages_map(i, at, p, count, DESC_NORMAL);
	return NIE_OK;
}
