/* SPDX-License-Identifier: Apache-2.0 */
/* HOST => SHARED(vm, ipa): both read and write it, in the upper half of the IPA space. spec/call/page_shared_add.v */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../measure.h"
#include "../pages.h"
#include "../prim.h"

static uint32_t check(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count)
{
	uint32_t status = check_vm(vm, NIE_VM_BUILDING, NIE_VM_ACTIVE);

	if (status != NIE_OK)
		return status;
	status = check_ipa_range(ipa, count);
	if (status != NIE_OK)
		return status;
	if (ipa >> (NIE_IPA_BITS - 1) == 0)
		return NIE_E_IPA;
	status = check_donation(pa, count);
	if (status != NIE_OK)
		return status;
	return check_empty((uint32_t)vm, page_of(ipa), LEVEL_PAGE, count);
}

uint64_t call_page_shared_add(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count)
{
	uint32_t status = check(vm, ipa, pa, count);

	if (status != NIE_OK)
		return status;

	uint32_t i = (uint32_t)vm;
	struct pfn p = { page_of(pa) };
	struct ifn at = { page_of(ipa) };

	donate(i, p, count, (struct granule){ GRANULE_SHARED, (uint8_t)i, 0, 0, (uint32_t)at.n });
	pages_map(i, at, p, count, DESC_NORMAL | DESC_XN);
	if (vms[i].state == NIE_VM_BUILDING)
		measure_record(i, MEASURE_SHARED, ipa, count, 0);
	return NIE_OK;
}
