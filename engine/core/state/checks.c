/* SPDX-License-Identifier: Apache-2.0 */
#include "../checks.h"
#include "../granule.h"

uint32_t check_vm(uint64_t vm, uint32_t state, uint32_t or_state)
{
	if (vm >= NIE_MAX_VMS)
		return NIE_E_VM;
	if (vms[vm].state != state && vms[vm].state != or_state)
		return NIE_E_VM_STATE;
	return NIE_OK;
}

uint32_t check_ipa_range(uint64_t ipa, uint64_t count)
{
	if (!aligned(ipa, 1))
		return NIE_E_ALIGN;
	if (!range_ok(page_of(ipa), count))
		return NIE_E_COUNT;
	if (ipa >> NIE_IPA_BITS != 0)
		return NIE_E_IPA;
	return NIE_OK;
}

uint32_t check_window(uint32_t vm, uint64_t page, uint64_t count)
{
	if (page < vms[vm].ram_base || page + count > vms[vm].ram_base + vms[vm].ram_pages)
		return NIE_E_WINDOW;
	return NIE_OK;
}

uint32_t check_donation(uint64_t pa, uint64_t count)
{
	if (!aligned(pa, 1))
		return NIE_E_ALIGN;
	if (!range_ok(page_of(pa), count))
		return NIE_E_COUNT;
	return host_owns((struct pfn){ page_of(pa) }, count);
}

uint32_t check_placement(uint32_t vm, uint64_t ipa, uint64_t pa, uint64_t count)
{
	uint32_t status = check_ipa_range(ipa, count);

	if (status != NIE_OK)
		return status;
	status = check_window(vm, page_of(ipa), count);
	if (status != NIE_OK)
		return status;
	return check_donation(pa, count);
}

uint32_t check_empty(uint32_t vm, uint64_t page, uint32_t level, uint64_t count)
{
	struct walk w = s2_walk(vm, (struct ifn){ page }, level);

	if (w.level != level)
		return desc_valid(w.desc) ? NIE_E_MAPPED : NIE_E_NO_TABLE;
	return s2_all_empty(w, count);
}
