/* SPDX-License-Identifier: Apache-2.0 */
#include "../stage2.h"
#include "../prim.h"

struct walk s2_walk(uint32_t vm, struct ifn ipa, uint32_t level)
{
	struct walk w = { vms[vm].root, DESC_EMPTY, 0, LEVEL_ROOT };

	for (uint32_t l = LEVEL_ROOT; l <= LEVEL_PAGE; l++) {
		w.level = l;
		w.index = (uint32_t)(ipa.n >> (9 * (LEVEL_PAGE - l))) & 511;
		w.desc = page_read((struct pfn){ w.table }, w.index);
		if (l == level || !desc_is_table(w.desc))
			return w;
		w.table = desc_page(w.desc);
	}
	return w;
}

uint32_t s2_all_empty(struct walk w, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		uint64_t desc = page_read((struct pfn){ w.table }, w.index + (uint32_t)i);

		if (desc == DESC_SPENT)
			return NIE_E_SPENT;
		if (desc != DESC_EMPTY)
			return NIE_E_MAPPED;
	}
	return NIE_OK;
}

void s2_flush(uint32_t vm)
{
	/* The stores that removed entries come first, else a walker could cache them again. */
	dsb_ish();
	tlbi_vmid(vm + 1);
	dsb_ish();
	isb();
}

void s2_write(struct walk w, uint64_t desc)
{
	page_write((struct pfn){ w.table }, w.index, desc);
	dsb_ish();
}

void s2_replace(uint32_t vm, struct walk w, uint64_t desc)
{
	page_write((struct pfn){ w.table }, w.index, DESC_EMPTY);
	s2_flush(vm);
	s2_write(w, desc);
}
