/* SPDX-License-Identifier: Apache-2.0 */
/* Boot: bad manifests, one defect each; scrubbing; what the host may reach at first. */
#include "vm.h"

/* Boot with one word of the manifest changed. */
static uint32_t boot_with(uint32_t word, uint64_t value)
{
	fake_reset();
	fake_manifest[word] = value;
	return boot();
}

static void check_refused(const char *file, int line, uint32_t word, uint64_t value, uint32_t want)
{
	uint32_t result = boot_with(word, value);

	check_equal(file, line, "boot", result, want);
	/* The magic and all else is looked at before anything is written. */
	check_equal(file, line, "changes", fake_counts.changes, 0);
}
#define BAD(word, value, cause) \
	check_refused(__FILE__, __LINE__, word, (uint64_t)(value), BOOT_BAD_##cause)

static void magic(void)
{
	BAD(MAN_MAGIC, 0, MAGIC);
	BAD(MAN_MAGIC, MAN_MAGIC_VALUE + 1, MAGIC);
}

static void ram(void)
{
	BAD(MAN_RAM_BASE, RAM_BASE + 1, RAM);
	BAD(MAN_RAM_BASE, 0, RAM);
	BAD(MAN_RAM_BASE, RAM_BASE - 512, RAM);
	BAD(MAN_RAM_BASE, (1ULL << 27) - GRANULES_MAX + 512, RAM);
	BAD(MAN_RAM_BASE, 1ULL << 28, RAM);
	BAD(MAN_RAM_BASE, ALL_ONES - 511, RAM);
	BAD(MAN_RAM_PAGES, 0, RAM);
	BAD(MAN_RAM_PAGES, RAM_PAGES + 1, RAM);
	BAD(MAN_RAM_PAGES, GRANULES_MAX + 512, RAM);
	BAD(MAN_RAM_PAGES, 0xfffffffffffffe00, RAM);
}

static void cpu_count(void)
{
	BAD(MAN_CPUS, 0, CPUS);
	BAD(MAN_CPUS, 9, CPUS);
	BAD(MAN_CPUS, 1ULL << 32, CPUS);
}

static void devices(void)
{
	BAD(MAN_DEVICES, 9, DEVICES);
	BAD(MAN_DEVICES, ALL_ONES, DEVICES);
	BAD(MAN_DEV_BASE, GICD + 1, DEVICES);
	BAD(MAN_DEV_BASE, 0, DEVICES);
	BAD(MAN_DEV_PAGES, 0x1201, DEVICES);
	BAD(MAN_DEV_PAGES, 0x40000, DEVICES);
	BAD(MAN_DEV_PAGES, 0xfffffffffffffe00, DEVICES);
	BAD(MAN_DEVICE0, RAM_BASE, DEVICES);
	BAD(MAN_DEVICE0, GICD - 1, DEVICES);
	BAD(MAN_DEVICE0 + 1, ALL_ONES, DEVICES);
	BAD(MAN_DEVICE0 + 4, ALL_ONES, DEVICES);
	BAD(MAN_GICR, RAM_BASE, DEVICES);
	BAD(MAN_GICR, 0x9200 - 127, DEVICES);
}

static void engine_range(void)
{
	BAD(MAN_ENGINE_BASE, ENGINE_BASE + 1, ENGINE);
	BAD(MAN_ENGINE_BASE, RAM_BASE + RAM_PAGES, ENGINE);
	BAD(MAN_ENGINE_BASE, 0, ENGINE);
	BAD(MAN_ENGINE_PAGES, 0, ENGINE);
	BAD(MAN_ENGINE_PAGES, 513, ENGINE);
	BAD(MAN_ENGINE_PAGES, RAM_PAGES, ENGINE);
	BAD(MAN_TABLES, RAM_BASE, ENGINE);
	BAD(MAN_TABLES, ENGINE_BASE + 512 - 17, ENGINE);
	BAD(MAN_TABLES, ALL_ONES, ENGINE);
	CHECK_EQ(boot_with(MAN_TABLES, ENGINE_BASE + 512 - 18), BOOT_OK);
}

static void host_parts(void)
{
	BAD(MAN_HOST_ENTRY, 0, HOST);
	BAD(MAN_HOST_ENTRY, (uint64_t)ENGINE_BASE << 12, HOST);
	BAD(MAN_HOST_ENTRY, (uint64_t)(KEEP_BASE + KEEP_PAGES) << 12, HOST);
	BAD(MAN_HOST_DTB, ((uint64_t)KEEP_BASE << 12) - 1, HOST);
	BAD(MAN_HOST_DTB, ALL_ONES, HOST);
	BAD(MAN_KEEP_BASE, ENGINE_BASE, HOST);
	BAD(MAN_KEEP_BASE, ENGINE_BASE - 8, HOST);
	BAD(MAN_KEEP_PAGES, RAM_PAGES, HOST);
	BAD(MAN_KEEP_PAGES, ALL_ONES, HOST);
	BAD(MAN_KEEP_PAGES, 0, HOST);
}

static void manifest_is_read_once(void)
{
	uint32_t seen[MAN_END] = { 0 };

	fake_reset();
	boot();
	for (uint32_t i = 0; i < fake_inputs_used; i++) {
		if (fake_inputs[i].kind == INPUT_MANIFEST)
			seen[fake_inputs[i].where]++;
	}
	for (uint32_t i = 0; i < MAN_END; i++)
		CHECK_EQ(seen[i], 1);
}

static void ram_is_scrubbed(void)
{
	fake_reset();
	for (uint64_t n = 0; n < RAM_PAGES; n++)
		poke(RAM_BASE + n, (uint32_t)n % 512, 0xdead);
	boot();
	for (uint64_t p = RAM_BASE; p < RAM_BASE + RAM_PAGES; p++) {
		bool engine = p >= ENGINE_BASE && p < ENGINE_BASE + 512;
		bool kept = p >= KEEP_BASE && p < KEEP_BASE + KEEP_PAGES;

		if (kept)
			CHECK_EQ(peek(p, (uint32_t)(p - RAM_BASE) % 512), 0xdead);
		else if (!engine)
			CHECK(page_is_zero(p));
	}
}

/* start() booted: the TLB holds all that the host can reach. */
static void what_the_host_reaches(void)
{
	uint64_t page, p;
	uint32_t level;

	for (p = 0; p < RAM_BASE + RAM_PAGES + 4096; p++) {
		bool ram = p >= RAM_BASE && p < RAM_BASE + RAM_PAGES &&
			   !(p >= ENGINE_BASE && p < ENGINE_BASE + 512);
		bool device = (p >= GICD && p < GICD + 16) || p == UART ||
			      (p >= GICR && p < GICR + 32 * FAKE_CPUS && (p - GICR) % 32 != 0);

		CHECK_EQ(tlb_lookup(0, p, &page, &level), ram || device);
		CHECK(!(ram || device) || page == p);
	}
	CHECK(!tlb_lookup(0, 1 << 26, &page, &level));
}

TESTS(boot, TEST(magic), TEST(ram), TEST(cpu_count), TEST(devices), TEST(engine_range),
      TEST(host_parts), TEST(manifest_is_read_once), TEST(ram_is_scrubbed),
      TEST(what_the_host_reaches));
