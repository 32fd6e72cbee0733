/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EL2's own translation: identity; text executable, constants read-only, the rest of RAM writable, the
 * UART and the redistributors' first pages as devices. The guard pages and all else are not mapped.
 */
#include "arch.h"

enum {
	SIZE_BLOCK = 1 << 21,
	LEVEL1_SHIFT = 30,
	LEVEL2_SHIFT = 21,
	/* 8 GiB of RAM, not aligned; devices in two more GiB; 2 MiB parts: image, UART, 8 redistributors */
	TABLES = 9 + 2 + 1 + 1 + 2,
};

/* Stage 1 descriptor at EL2 with E2H 0 [ArmARM, D8.3]. */
enum descriptor {
	VALID_BLOCK = 1,
	VALID_TABLE_OR_PAGE = 3,
	DEVICE = 0 << 2, /* index in MAIR_EL2 */
	NORMAL = 1 << 2,
	AP1_RES1 = 1 << 6,
	READ_ONLY = 1 << 7,
	INNER_SHAREABLE = 3 << 8,
	ACCESS_FLAG = 1 << 10,
};
#define NEVER_EXECUTE (1ULL << 54)

#define TEXT      (NORMAL | AP1_RES1 | READ_ONLY | INNER_SHAREABLE | ACCESS_FLAG)
#define CONSTANTS (TEXT | NEVER_EXECUTE)
#define DATA      (NORMAL | AP1_RES1 | INNER_SHAREABLE | ACCESS_FLAG | NEVER_EXECUTE)
#define REGISTERS (DEVICE | AP1_RES1 | INNER_SHAREABLE | ACCESS_FLAG | NEVER_EXECUTE)
#define ADDRESS   (((1ULL << 48) - 1) & ~(uint64_t)(NIE_PAGE_SIZE - 1))

uint64_t mmu_root[512] __attribute__((aligned(4096)));
static uint64_t tables[TABLES][512] __attribute__((aligned(4096)));
static uint32_t tables_used;

/* The table below an entry, made when there is none. */
static uint64_t *below(uint64_t *entry)
{
	if (*entry == 0) {
		if (tables_used == TABLES)
			panic("too few tables for the engine's own translation");
		*entry = (uint64_t)tables[tables_used] | VALID_TABLE_OR_PAGE;
		tables_used++;
	}
	if ((*entry & VALID_TABLE_OR_PAGE) != VALID_TABLE_OR_PAGE)
		panic_numbers("the manifest puts a device into RAM; descriptor:", *entry, 0);
	return (uint64_t *)(*entry & ADDRESS);
}

static void map(uint64_t start, uint64_t end, uint64_t attributes)
{
	uint64_t at = start;

	while (at < end) {
		uint64_t *level2 = below(&mmu_root[at >> LEVEL1_SHIFT & 511]);
		uint64_t *entry = &level2[at >> LEVEL2_SHIFT & 511];

		if (at % SIZE_BLOCK == 0 && end - at >= SIZE_BLOCK) {
			*entry = at | attributes | VALID_BLOCK;
			at += SIZE_BLOCK;
		} else {
			below(entry)[at >> NIE_PAGE_SHIFT & 511] =
				at | attributes | VALID_TABLE_OR_PAGE;
			at += NIE_PAGE_SIZE;
		}
	}
}

static void map_page(uint64_t page, uint64_t attributes)
{
	map(address_of_page(page), address_of_page(page + 1), attributes);
}

static void map_image(void)
{
	map((uint64_t)image_start, (uint64_t)rodata_start, TEXT);
	map((uint64_t)rodata_start, (uint64_t)data_start, CONSTANTS);
	map((uint64_t)data_start, (uint64_t)stacks, DATA);
	for (uint32_t cpu = 0; cpu < STACKS; cpu++) {
		uint64_t guard = (uint64_t)stacks + cpu * STACK_STRIDE;

		map(guard + STACK_GUARD, guard + STACK_STRIDE, DATA);
	}
}

/* The manifest must be sane enough for the tables; boot() of the core checks all of it. */
static void check_manifest(void)
{
	uint64_t base = manifest_read(MAN_ENGINE_BASE);
	uint64_t ram = manifest_read(MAN_RAM_BASE);
	uint64_t pages = manifest_read(MAN_RAM_PAGES);
	uint64_t last = 1ULL << (NIE_IPA_BITS - NIE_PAGE_SHIFT);

	if (manifest_read(MAN_MAGIC) != MAN_MAGIC_VALUE)
		panic("no manifest");
	if (address_of_page(base) != (uint64_t)image_start)
		panic_numbers("the image is not where the manifest says; it is at, should be at",
			      (uint64_t)image_start, address_of_page(base));
	if (pages > GRANULES_MAX || ram >= last || ((ram | pages | base) & 511) != 0)
		panic_numbers("the manifest's RAM cannot be; first page, pages:", ram, pages);
	if (base < ram || base - ram >= pages ||
	    manifest_read(MAN_ENGINE_PAGES) > pages - (base - ram))
		panic_numbers("the engine is not in RAM; first page, pages:", base,
			      manifest_read(MAN_ENGINE_PAGES));
	if (address_of_page(base + manifest_read(MAN_ENGINE_PAGES)) <= (uint64_t)stacks_end)
		panic_numbers("the engine's range is smaller than the engine; first page, pages:",
			      base, manifest_read(MAN_ENGINE_PAGES));
	if (manifest_read(MAN_CPUS) > NIE_MAX_CPUS)
		panic_numbers("too many CPUs; there are, may be", manifest_read(MAN_CPUS),
			      NIE_MAX_CPUS);
	if (manifest_read(MAN_UART) >= last || manifest_read(MAN_GICR) >= last)
		panic_numbers("a device is beyond 39 bits; pages:", manifest_read(MAN_UART),
			      manifest_read(MAN_GICR));
}

void mmu_build(void)
{
	check_manifest();

	uint64_t ram = address_of_page(manifest_read(MAN_RAM_BASE));

	map(ram, (uint64_t)image_start, DATA);
	map_image();
	map((uint64_t)stacks_end, ram + address_of_page(manifest_read(MAN_RAM_PAGES)), DATA);
	map_page(manifest_read(MAN_UART), REGISTERS);
	for (uint32_t cpu = 0; cpu < manifest_read(MAN_CPUS); cpu++)
		map_page(manifest_read(MAN_GICR) + 32 * cpu, REGISTERS);
}
