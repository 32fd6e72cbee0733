/* SPDX-License-Identifier: Apache-2.0 */
/* FREE => BUILDING; root: HOST => TABLE(vm, 1, 0). spec/call/vm_create.v */
#include "../call.h"
#include "../checks.h"
#include "../donate.h"
#include "../measure.h"
#include "../pages.h"
#include "../prim.h"

/* The window lies in the lower half of the IPA space; page 0 of it is never used, so that 0 means none. */
static bool window_ok(uint64_t base, uint64_t pages)
{
	uint64_t half = 1ULL << (NIE_IPA_BITS - 1 - NIE_PAGE_SHIFT);

	return aligned(base, 1) && page_of(base) >= 1 && page_of(base) < half && pages >= 1 &&
	       pages <= half - page_of(base);
}

static uint32_t check(uint64_t vm, uint64_t root, uint64_t base, uint64_t pages, uint64_t count)
{
	uint32_t status = check_vm(vm, NIE_VM_FREE, NIE_VM_FREE);

	if (status != NIE_OK)
		return status;
	if (!window_ok(base, pages))
		return NIE_E_WINDOW;
	if (count < 1 || count > NIE_MAX_VCPUS)
		return NIE_E_VCPU;
	return check_donation(root, 1);
}

uint64_t call_vm_create(uint64_t vm, uint64_t root, uint64_t base, uint64_t pages, uint64_t count)
{
	uint32_t status = check(vm, root, base, pages, count);

	if (status != NIE_OK)
		return status;

	uint32_t i = (uint32_t)vm;
	uint64_t now = counter_read();

	vms[i].root = page_of(root);
	vms[i].ram_base = page_of(base);
	vms[i].ram_pages = pages;
	vms[i].cntvoff = now;
	vms[i].vcpus = (uint32_t)count;
	vms[i].state = NIE_VM_BUILDING;
	donate(i, (struct pfn){ page_of(root) }, 1,
	       (struct granule){ GRANULE_TABLE, (uint8_t)i, LEVEL_ROOT, 0, 0 });
	pages_scrub((struct pfn){ page_of(root) }, 1);
	measure_start(i);
	measure_record(i, MEASURE_VM, base, pages, count);
	return NIE_OK;
}
