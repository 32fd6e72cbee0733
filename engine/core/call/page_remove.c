/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DATA(vm, ipa) => HOST, zeroed; SHARED(vm, ipa) => HOST. The IPA is Spent afterwards: the VM gets an abort there,
 * never other data. spec/call/page_remove.v
 */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../prim.h"

/* count entries from w hold pages that are contiguous in memory. */
static uint32_t check_pages(struct walk w, uint64_t count)
{
	uint64_t first = desc_page(w.desc);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t desc = page_read((struct pfn){ w.table }, w.index + (uint32_t)i);

		if (!desc_valid(desc))
			return NIE_E_UNMAPPED;
		if (desc_page(desc) != first + i)
			return NIE_E_NOT_CONTIGUOUS;
	}
	return NIE_OK;
}

static uint32_t check(uint64_t vm, uint64_t ipa, uint64_t count)
{
	uint32_t status = check_vm(vm, NIE_VM_ACTIVE, NIE_VM_STOPPED);

	if (status != NIE_OK)
		return status;
	status = check_ipa_range(ipa, count);
	if (status != NIE_OK)
		return status;

	struct walk w = s2_walk((uint32_t)vm, (struct ifn){ page_of(ipa) }, LEVEL_PAGE);

	if (w.level != LEVEL_PAGE)
		return desc_valid(w.desc) ? NIE_E_BLOCK : NIE_E_NO_TABLE;
	return check_pages(w, count);
}

/* Nobody but the engine reaches the page any more: give it the state that the host may see. */
static void take_back(uint32_t vm, struct pfn p)
{
	struct granule g = granule_get(p);

	if (g.state == GRANULE_SHARED)
		release(vm, p);
	else
		give_back(vm, p);
}

struct answer call_page_remove(uint64_t vm, uint64_t ipa, uint64_t count)
{
	uint32_t status = check(vm, ipa, count);

	if (status != NIE_OK)
		return (struct answer){ status, 0, 0 };

	struct walk w = s2_walk((uint32_t)vm, (struct ifn){ page_of(ipa) }, LEVEL_PAGE);
	uint64_t first = desc_page(w.desc);

	for (uint64_t i = 0; i < count; i++)
		page_write((struct pfn){ w.table }, w.index + (uint32_t)i, DESC_SPENT);
	/* Before the scrub: through a stale entry the VM could still write the page. */
	s2_flush((uint32_t)vm);
	/* Before the host can execute there: it must not run the VM's instructions. */
	ic_invalidate();
	dsb_ish();
	for (uint64_t i = 0; i < count; i++)
		take_back((uint32_t)vm, (struct pfn){ first + i });
	return (struct answer){ NIE_OK, address_of(first), 0 };
}
