/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HOST => TABLE(vm, level, key), empty; over a block: filled with the block's pages, which stay where they
 * were. spec/call/table_add.v
 */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../pages.h"
#include "../prim.h"

static uint32_t check(uint64_t vm, uint64_t ipa, uint64_t level, uint64_t pa)
{
	if (vm >= NIE_MAX_VMS)
		return NIE_E_VM;
	/* Also of a stopped VM: its blocks are split before PAGE_REMOVE can take them. */
	if (vms[vm].state == NIE_VM_FREE)
		return NIE_E_VM_STATE;
	if (level != 2 && level != 3)
		return NIE_E_LEVEL;
	if (!aligned(ipa, entry_pages((uint32_t)level - 1)))
		return NIE_E_ALIGN;
	if (ipa >> NIE_IPA_BITS != 0)
		return NIE_E_IPA;

	uint32_t status = check_donation(pa, 1);

	if (status != NIE_OK)
		return status;

	struct walk w = s2_walk((uint32_t)vm, (struct ifn){ page_of(ipa) }, (uint32_t)level - 1);

	if (w.level != level - 1)
		return NIE_E_NO_TABLE;
	if (w.desc != DESC_EMPTY && (desc_is_table(w.desc) || !desc_valid(w.desc)))
		return NIE_E_MAPPED;
	return NIE_OK;
}

/* The same translation as the block's, page by page. */
static void fill_from_block(struct pfn table, uint64_t block)
{
	for (uint32_t i = 0; i < ENTRIES; i++)
		page_write(table, i, (block & ~3ULL) + address_of(i) + DESC_PAGE);
}

uint64_t call_table_add(uint64_t vm, uint64_t ipa, uint64_t level, uint64_t pa)
{
	uint32_t status = check(vm, ipa, level, pa);

	if (status != NIE_OK)
		return status;

	uint32_t i = (uint32_t)vm;
	uint32_t l = (uint32_t)level;
	struct pfn table = { page_of(pa) };
	struct walk w = s2_walk(i, (struct ifn){ page_of(ipa) }, l - 1);
	uint32_t key = (uint32_t)(page_of(ipa) / entry_pages(l - 1));

	donate(i, table, 1, (struct granule){ GRANULE_TABLE, (uint8_t)i, (uint8_t)l, 0, key });
	pages_scrub(table, 1);
	if (w.desc == DESC_EMPTY) {
		s2_write(w, pa | DESC_TABLE);
	} else {
		fill_from_block(table, w.desc);
		s2_replace(i, w, pa | DESC_TABLE);
	}
	return NIE_OK;
}
