/* SPDX-License-Identifier: Apache-2.0 */
#include "../granule.h"
#include "../mmio.h"
#include "../prim.h"
#include "../stage2.h"
#include "../trap.h"
#include "../world.h"

static bool in_ram_window(uint32_t vm, uint64_t page)
{
	return page >= vms[vm].ram_base && page - vms[vm].ram_base < vms[vm].ram_pages;
}

/* Outside the RAM window: an access to a device that the host emulates. */
static void mmio_exit(uint32_t cpu, uint64_t page, uint64_t esr)
{
	struct vcpu *v = &vcpus[cpus[cpu].vm * NIE_MAX_VCPUS + cpus[cpu].vcpu];
	uint64_t far = sysreg_read(REG_FAR_EL2);
	uint64_t ipa = address_of(page) | (far & 0xfff);
	uint64_t width = mmio_width(esr);
	uint64_t value = gpr_read(cpu, (uint32_t)(esr >> 16) & 31);

	v->syndrome = (uint32_t)esr & 0x1ffffff;
	if ((esr & ISS_WNR) != 0) {
		v->pending = PENDING_WRITE;
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_MMIO_WRITE, ipa, width,
					      mmio_truncate(value, width) });
	} else {
		v->pending = PENDING_READ;
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_MMIO_READ, ipa, width, 0 });
	}
}

void vcpu_abort(uint32_t cpu, uint64_t esr)
{
	uint32_t vm = cpus[cpu].vm;
	uint64_t hpfar = sysreg_read(REG_HPFAR_EL2);
	uint64_t page = fault_page(hpfar);

	/* Every page is mapped with all rights but execution of SHARED ones: no other fault is the host's affair. */
	if ((esr & FSC_TYPE) != FSC_TRANSLATION || page >> (NIE_IPA_BITS - NIE_PAGE_SHIFT) != 0) {
		inject_abort(esr, FSC_EXTERNAL);
		return;
	}

	struct walk w = s2_walk(vm, (struct ifn){ page }, LEVEL_PAGE);

	/* Allowed by now: the fault came while a block was split, or another CPU added the page. */
	if (desc_valid(w.desc))
		return;
	if (w.desc == DESC_SPENT)
		inject_abort(esr, FSC_EXTERNAL);
	else if (in_ram_window(vm, page))
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_PAGE_MISSING, address_of(page), 0, 0 });
	else if (exception_class(esr) == EC_DATA_ABORT && mmio_decodable(esr))
		mmio_exit(cpu, page, esr);
	else
		inject_abort(esr, FSC_EXTERNAL);
}
