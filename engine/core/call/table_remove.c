/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TABLE(vm, level, key) => HOST, zeroed, when it holds nothing. Spent entries are forgotten only when the VM is
 * stopped: else the host could bring other data to an IPA that it took. spec/call/table_remove.v
 */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../prim.h"

static bool table_empty(struct pfn table, bool spent_too)
{
	for (uint32_t i = 0; i < ENTRIES; i++) {
		uint64_t desc = page_read(table, i);

		if (desc_valid(desc) || (desc != DESC_EMPTY && !spent_too))
			return false;
	}
	return true;
}

static uint32_t check(uint64_t vm, uint64_t ipa, uint64_t level)
{
	uint32_t status = check_vm(vm, NIE_VM_ACTIVE, NIE_VM_STOPPED);

	if (status != NIE_OK)
		return status;
	if (level != 2 && level != 3)
		return NIE_E_LEVEL;
	if (!aligned(ipa, entry_pages((uint32_t)level - 1)))
		return NIE_E_ALIGN;
	if (ipa >> NIE_IPA_BITS != 0)
		return NIE_E_IPA;

	struct walk w = s2_walk((uint32_t)vm, (struct ifn){ page_of(ipa) }, (uint32_t)level - 1);

	if (w.level != level - 1 || !desc_is_table(w.desc))
		return NIE_E_NO_TABLE;
	if (!table_empty((struct pfn){ desc_page(w.desc) }, vms[vm].state == NIE_VM_STOPPED))
		return NIE_E_NOT_EMPTY;
	return NIE_OK;
}

struct answer call_table_remove(uint64_t vm, uint64_t ipa, uint64_t level)
{
	uint32_t status = check(vm, ipa, level);

	if (status != NIE_OK)
		return (struct answer){ status, 0, 0 };

	struct walk w = s2_walk((uint32_t)vm, (struct ifn){ page_of(ipa) }, (uint32_t)level - 1);
	uint64_t table = desc_page(w.desc);

	s2_write(w, DESC_EMPTY);
	/* A walker may have cached the table itself [ArmARM, D8.16.3]. */
	s2_flush((uint32_t)vm);
	give_back((uint32_t)vm, (struct pfn){ table });
	return (struct answer){ NIE_OK, address_of(table), 0 };
}
