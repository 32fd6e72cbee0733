/* SPDX-License-Identifier: Apache-2.0 */
#include "../granule.h"
#include "../host.h"
#include "../mmio.h"
#include "../prim.h"
#include "../trap.h"
#include "../world.h"

/* Offsets in a redistributor's first page [GIC, 12.11]. */
enum gicr {
	GICR_CTLR = 0x00,
	GICR_TYPER = 0x08,
	GICR_TYPER_HIGH = 0x0c,
	GICR_STATUSR = 0x10,
	GICR_WAKER = 0x14,
	GICR_CTLR_ENABLE_LPIS = 1,
	GICR_TYPER_LPIS = 1 << 0 | 1 << 1 | 1 << 3, /* PLPIS, VLPIS, DirectLPI */
};

/* Only what cannot make the redistributor read or write memory is passed on. */
static uint64_t gicr_filtered_read(uint32_t cpu, uint32_t offset, uint32_t width)
{
	uint64_t value = 0;

	switch (offset) {
	case GICR_CTLR:
	case 0x04:
	case GICR_TYPER_HIGH:
	case GICR_STATUSR:
	case GICR_WAKER:
		value = gicr_read(cpu, offset, 4);
		return value;
	case GICR_TYPER:
		value = gicr_read(cpu, offset, width);
		return value & ~(uint64_t)GICR_TYPER_LPIS;
	default:
		return 0;
	}
}

static void gicr_filtered_write(uint32_t cpu, uint32_t offset, uint32_t value)
{
	if (offset == GICR_CTLR)
		gicr_write(cpu, offset, value & ~(uint32_t)GICR_CTLR_ENABLE_LPIS);
	if (offset == GICR_WAKER)
		gicr_write(cpu, offset, value);
}

static void redistributor_access(uint32_t cpu, uint64_t page, uint64_t esr)
{
	uint64_t far = sysreg_read(REG_FAR_EL2);
	uint32_t offset = (uint32_t)far & 0xfff;
	uint32_t width = (uint32_t)mmio_width(esr);
	uint32_t r = (uint32_t)(esr >> 16) & 31;
	uint32_t target = (uint32_t)((page - config.word[MAN_GICR]) / 32);

	if ((esr & ISS_WNR) != 0) {
		gicr_filtered_write(target, offset, (uint32_t)gpr_read(cpu, r));
	} else {
		uint64_t value = gicr_filtered_read(target, offset, width == 8 ? 8 : 4);

		gpr_write(cpu, r, mmio_truncate(value, width));
	}
	skip_instruction();
}

void host_abort(uint32_t cpu, uint64_t esr)
{
	uint64_t hpfar = sysreg_read(REG_HPFAR_EL2);
	uint64_t pstate = sysreg_read(REG_SPSR_EL2);
	struct pfn page = { fault_page(hpfar) };
	bool translation = (esr & FSC_TYPE) == FSC_TRANSLATION;
	bool data = exception_class(esr) == EC_DATA_ABORT;

	/* The fault came in a window of break-before-make, or the page came back meanwhile: try again. */
	if (translation && host_may_access(page))
		return;
	if (translation && data && is_redistributor_base(page.n) && mmio_decodable(esr)) {
		redistributor_access(cpu, page.n, esr);
		return;
	}
	/*
	 * A permission fault: Linux's fixups for EL1's data accesses take it, where an external abort kills and a
	 * translation fault would be retried for ever.
	 */
	if (translation && data && (pstate & 0xf) != 0 && (esr & ISS_S1PTW) == 0)
		inject_abort(esr, FSC_PERMISSION_3);
	else
		inject_abort(esr, FSC_EXTERNAL);
}
