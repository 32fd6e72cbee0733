/* SPDX-License-Identifier: Apache-2.0 */
#include "../host.h"
#include "../granule.h"
#include "../prim.h"
#include "../stage2.h"

enum { PAGES_PER_GIB = 262144 };

static uint64_t gibs(void)
{
	uint64_t end = config.word[MAN_RAM_BASE] + config.word[MAN_RAM_PAGES];

	return (end + PAGES_PER_GIB - 1) / PAGES_PER_GIB;
}

/* The level 2 table of any page below the end of RAM. */
static struct pfn level2_of(struct pfn p)
{
	return (struct pfn){ config.word[MAN_TABLES] + 1 + p.n / PAGES_PER_GIB };
}

static uint32_t level2_index(struct pfn p)
{
	return (uint32_t)(p.n / 512) & 511;
}

/* The level 3 table of a page of RAM or of the device span. */
static struct pfn level3_of(struct pfn p)
{
	uint64_t first = config.word[MAN_TABLES] + 1 + gibs();

	if (!granule_exists(p))
		return (struct pfn){ first + (p.n - config.word[MAN_DEV_BASE]) / 512 };
	return (struct pfn){ first + config.word[MAN_DEV_PAGES] / 512 +
			     (p.n - config.word[MAN_RAM_BASE]) / 512 };
}

uint64_t host_tables_pages(void)
{
	return 1 + gibs() + config.word[MAN_DEV_PAGES] / 512 + config.word[MAN_RAM_PAGES] / 512;
}

bool is_redistributor_base(uint64_t page)
{
	return page >= config.word[MAN_GICR] &&
	       page - config.word[MAN_GICR] < 32 * config.word[MAN_CPUS] &&
	       (page - config.word[MAN_GICR]) % 32 == 0;
}

static bool is_host_device(uint64_t page)
{
	if (is_redistributor_base(page))
		return false;
	for (uint64_t i = 0; i < config.word[MAN_DEVICES]; i++) {
		uint64_t first = config.word[MAN_DEVICE0 + 2 * i];

		if (page >= first && page - first < config.word[MAN_DEVICE0 + 2 * i + 1])
			return true;
	}
	return false;
}

bool host_may_access(struct pfn p)
{
	if (!granule_exists(p))
		return is_host_device(p.n);

	struct granule g = granule_get(p);

	return g.state == GRANULE_HOST || g.state == GRANULE_SHARED || g.state == GRANULE_RUN;
}

/* The level 3 entries of the 512 pages from p, and the level 2 entry above them. */
static void init_2mib(struct pfn p, uint64_t attributes)
{
	bool all = true;
	bool any = false;
	struct pfn level3 = level3_of(p);

	for (uint32_t i = 0; i < ENTRIES; i++) {
		uint64_t desc = DESC_EMPTY;

		if (host_may_access((struct pfn){ p.n + i })) {
			desc = address_of(p.n + i) | attributes | DESC_PAGE;
			any = true;
		} else {
			all = false;
		}
		page_write(level3, i, desc);
	}
	if (all)
		page_write(level2_of(p), level2_index(p),
			   address_of(p.n) | attributes | DESC_BLOCK);
	else if (any)
		page_write(level2_of(p), level2_index(p), address_of(level3.n) | DESC_TABLE);
}

void host_tables_init(void)
{
	struct pfn root = { config.word[MAN_TABLES] };
	uint64_t count = gibs();

	page_zero(root);
	for (uint64_t i = 0; i < count; i++) {
		page_zero((struct pfn){ root.n + 1 + i });
		page_write(root, (uint32_t)i, address_of(root.n + 1 + i) | DESC_TABLE);
	}
	for (uint64_t i = 0; i < config.word[MAN_DEV_PAGES] / 512; i++)
		init_2mib((struct pfn){ config.word[MAN_DEV_BASE] + 512 * i }, DESC_DEVICE);
	for (uint64_t i = 0; i < config.word[MAN_RAM_PAGES] / 512; i++)
		init_2mib((struct pfn){ config.word[MAN_RAM_BASE] + 512 * i }, DESC_NORMAL);
	dsb_ish();
}

void host_hide(struct pfn p, uint64_t count)
{
	struct pfn level2 = level2_of(p);
	struct pfn level3 = level3_of(p);
	uint32_t first = (uint32_t)p.n & 511;
	uint64_t desc = page_read(level2, level2_index(p));

	for (uint64_t i = 0; i < count; i++)
		page_write(level3, first + (uint32_t)i, DESC_EMPTY);
	/* A block is broken first; other CPUs of the host that fault meanwhile retry [ArmARM, D8.17.1]. */
	if (!desc_is_table(desc))
		page_write(level2, level2_index(p), DESC_EMPTY);
	dsb_ish();
	tlbi_vmid(0);
	dsb_ish();
	isb();
	if (!desc_is_table(desc)) {
		page_write(level2, level2_index(p), address_of(level3.n) | DESC_TABLE);
		dsb_ish();
	}
}

void host_show(struct pfn p)
{
	page_write(level3_of(p), (uint32_t)p.n & 511, address_of(p.n) | DESC_NORMAL | DESC_PAGE);
	dsb_ish();
}
