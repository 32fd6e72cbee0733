/* SPDX-License-Identifier: Apache-2.0 */
/* From reset to the first entry of the host. */
#include "core.h"
#include "granule.h"
#include "host.h"
#include "prim.h"
#include "world.h"

/* The host's stage 2 translates 39 bits: its root has an entry for each of 512 GiB. */
enum { PAGES_2MIB = 512, PAGES_GIB = 262144, PAGES_MAX = 1 << 27 };

static bool is_multiple(uint64_t pages)
{
	return pages % PAGES_2MIB == 0;
}

/* [first, first + pages) lies in [outer, outer + size). */
static bool inside(uint64_t first, uint64_t pages, uint64_t outer, uint64_t size)
{
	return first >= outer && pages <= size && first - outer <= size - pages;
}

static uint64_t ram_base(void)
{
	return config.word[MAN_RAM_BASE];
}

static uint64_t ram_pages(void)
{
	return config.word[MAN_RAM_PAGES];
}

/* RAM starts at or above 1 GiB, so that devices and page 0 lie below it. */
static bool ram_ok(void)
{
	return is_multiple(ram_base()) && is_multiple(ram_pages()) && ram_base() >= PAGES_GIB &&
	       ram_base() <= PAGES_MAX - GRANULES_MAX && ram_pages() >= PAGES_2MIB &&
	       ram_pages() <= GRANULES_MAX;
}

static bool engine_ok(void)
{
	uint64_t base = config.word[MAN_ENGINE_BASE];
	uint64_t pages = config.word[MAN_ENGINE_PAGES];
	uint64_t tables = config.word[MAN_TABLES];

	return is_multiple(base) && is_multiple(pages) && pages >= PAGES_2MIB &&
	       inside(base, pages, ram_base(), ram_pages()) &&
	       inside(tables, host_tables_pages(), base, pages);
}

static bool devices_ok(void)
{
	uint64_t base = config.word[MAN_DEV_BASE];
	uint64_t pages = config.word[MAN_DEV_PAGES];

	if (config.word[MAN_DEVICES] > MAN_MAX_DEVICES)
		return false;
	if (!is_multiple(base) || !is_multiple(pages) || base < PAGES_2MIB ||
	    !inside(base, pages, 0, PAGES_GIB))
		return false;
	for (uint64_t i = 0; i < config.word[MAN_DEVICES]; i++) {
		if (!inside(config.word[MAN_DEVICE0 + 2 * i], config.word[MAN_DEVICE0 + 2 * i + 1],
			    base, pages))
			return false;
	}
	return inside(config.word[MAN_GICR], 32 * config.word[MAN_CPUS], base, pages);
}

/* An address in the RAM that was packed for the host. */
static bool host_address_ok(uint64_t address)
{
	return inside(page_of(address), 1, config.word[MAN_KEEP_BASE], config.word[MAN_KEEP_PAGES]);
}

static bool keep_ok(void)
{
	uint64_t base = config.word[MAN_KEEP_BASE];
	uint64_t pages = config.word[MAN_KEEP_PAGES];
	uint64_t engine = config.word[MAN_ENGINE_BASE];

	if (!inside(base, pages, ram_base(), ram_pages()))
		return false;
	return base >= engine + config.word[MAN_ENGINE_PAGES] || base + pages <= engine;
}

static uint32_t check_config(void)
{
	if (config.word[MAN_MAGIC] != MAN_MAGIC_VALUE)
		return BOOT_BAD_MAGIC;
	if (!ram_ok())
		return BOOT_BAD_RAM;
	if (config.word[MAN_CPUS] < 1 || config.word[MAN_CPUS] > NIE_MAX_CPUS)
		return BOOT_BAD_CPUS;
	if (!devices_ok())
		return BOOT_BAD_DEVICES;
	if (!engine_ok())
		return BOOT_BAD_ENGINE;
	if (!keep_ok() || !host_address_ok(config.word[MAN_HOST_ENTRY]) ||
	    !host_address_ok(config.word[MAN_HOST_DTB]))
		return BOOT_BAD_HOST;
	return BOOT_OK;
}

static bool is_engine(uint64_t page)
{
	return inside(page, 1, config.word[MAN_ENGINE_BASE], config.word[MAN_ENGINE_PAGES]);
}

/* Every page is the engine's or the host's; what was not packed for the host is zeroed first. */
static void init_granules(void)
{
	uint64_t count = ram_pages();

	for (uint64_t i = 0; i < count; i++) {
		struct pfn p = { ram_base() + i };

		if (is_engine(p.n)) {
			granule_set(p, (struct granule){ GRANULE_ENGINE, 0, 0, 0, 0 });
		} else {
			granule_set(p, (struct granule){ GRANULE_HOST, 0, 0, 0, 0 });
			if (!inside(p.n, 1, config.word[MAN_KEEP_BASE],
				    config.word[MAN_KEEP_PAGES]))
				page_zero(p);
		}
	}
}

uint32_t boot(void)
{
	uint32_t result = BOOT_OK;

	for (uint32_t i = 0; i < MAN_END; i++) {
		uint64_t value = manifest_read(i);

		config.word[i] = value;
	}
	result = check_config();
	if (result != BOOT_OK)
		return result;
	init_granules();
	host_tables_init();
	for (uint32_t i = 0; i < NIE_MAX_CPUS; i++)
		cpus[i].vm = CPU_HOST;
	cpus[0].started = 1;
	cpus[0].entry = config.word[MAN_HOST_ENTRY];
	cpus[0].argument = config.word[MAN_HOST_DTB];
	return BOOT_OK;
}

void cpu_start(uint32_t cpu)
{
	for (uint32_t i = 0; i < 31; i++)
		cpus[cpu].x[i] = 0;
	cpus[cpu].x[0] = cpus[cpu].argument;
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		sysreg_write(r, 0);
	sysreg_write(REG_SCTLR_EL1, SCTLR_EL1_RESET);
	sysreg_write(REG_ELR_EL2, cpus[cpu].entry);
	sysreg_write(REG_SPSR_EL2, PSTATE_EL1H_MASKED);
	fp_zero();
	controls_both();
	controls_host();
	/* Entries from before reset would be the engine's to answer for. */
	tlbi_vmid_local(0);
	ic_invalidate();
	dsb_ish();
	isb();
}
