/* SPDX-License-Identifier: Apache-2.0 */
/* Pages given, shared, taken: every status, ranges, blocks and their splitting, Spent entries, scrubbing. */
#include "vm.h"

#define ENGINE_PA ((uint64_t)ENGINE_BASE << 12)
#define NOT_RAM   ((uint64_t)(RAM_BASE + RAM_PAGES) << 12)
#define SPACE     (1ULL << 39)
/* Two whole 2 MiB of the host. */
#define BLOCK(n) PA(512 * ((n) + 1))

static uint64_t granule(uint64_t pa)
{
	return granules[(pa >> 12) - RAM_BASE].state;
}

static void page_add(void)
{
	REFUSED(PAGE_ADD, VM, "index 64", NIE_MAX_VMS, IPA(0), PA(256), 1);
	REFUSED(PAGE_ADD, VM_STATE, "free", 0, IPA(0), PA(256), 1);
	build(0, 1);
	build(1, 1);
	REFUSED(PAGE_ADD, COUNT, "no page", 0, IPA(0), PA(256), 0);
	REFUSED(PAGE_ADD, COUNT, "17 pages", 0, IPA(0), PA(256), 17);
	REFUSED(PAGE_ADD, COUNT, "2^64 - 1 pages", 0, IPA(0), PA(256), ALL_ONES);
	REFUSED(PAGE_ADD, COUNT, "IPA range leaves its 2 MiB", 0, IPA(511), PA(256), 2);
	REFUSED(PAGE_ADD, COUNT, "PA range leaves its 2 MiB", 0, IPA(0), PA(511), 2);
	REFUSED(PAGE_ADD, ALIGN, "IPA not aligned", 0, IPA(0) + 1, PA(256), 1);
	REFUSED(PAGE_ADD, ALIGN, "PA not aligned", 0, IPA(0), PA(256) + 0x800, 1);
	REFUSED(PAGE_ADD, IPA, "outside the space", 0, SPACE, PA(256), 1);
	REFUSED(PAGE_ADD, WINDOW, "below the window", 0, IPA(0) - 0x1000, PA(256), 1);
	REFUSED(PAGE_ADD, WINDOW, "above the window", 0, IPA(WINDOW_PAGES), PA(256), 1);
	REFUSED(PAGE_ADD, WINDOW, "in the upper half", 0, SHARED(0), PA(256), 1);
	REFUSED(PAGE_ADD, PA, "not RAM", 0, IPA(0), NOT_RAM, 1);
	REFUSED(PAGE_ADD, OWNER, "the engine's", 0, IPA(0), ENGINE_PA, 1);
	REFUSED(PAGE_ADD, OWNER, "its own root", 0, IPA(0), ROOT(0), 1);
	REFUSED(PAGE_ADD, OWNER, "a table of another VM", 0, IPA(0), ROOT(1) + 0x2000, 1);
	REFUSED(PAGE_ADD, OWNER, "the second page another VM's", 0, IPA(0), ROOT(1) - 0x1000, 2);
	REFUSED(PAGE_ADD, NO_TABLE, "no level 3", 0, IPA(512), PA(256), 1);
	GRANTED(PAGE_ADD, 0, IPA(3), PA(256), 16);
	REFUSED(PAGE_ADD, MAPPED, "a page is there", 0, IPA(18), PA(300), 1);
	REFUSED(PAGE_ADD, MAPPED, "in the range", 0, IPA(2), PA(300), 2);
	REFUSED(PAGE_ADD, OWNER, "the same page twice", 0, IPA(30), PA(256), 1);
	REFUSED(PAGE_ADD, OWNER, "another VM's page", 1, IPA(0), PA(271), 1);
	active(2, 1);
	REFUSED(PAGE_ADD, VM_STATE, "active", 2, IPA(5), PA(300), 1);
}

static void page_add_moves_the_page(void)
{
	build(0, 1);
	for (uint32_t i = 0; i < 512; i++)
		poke(PA(256) >> 12, i, i * 3);
	GRANTED(PAGE_ADD, 0, IPA(9), PA(256), 1);
	CHECK_EQ(granule(PA(256)), GRANULE_DATA);
	for (uint32_t i = 0; i < 512; i++)
		CHECK_EQ(peek(PA(256) >> 12, i), i * 3);
}

static void page_add_in_a_block(void)
{
	build(0, 1);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(512), BLOCK(0), 512, 2);
	REFUSED(PAGE_ADD, MAPPED, "inside a block", 0, IPA(515), PA(256), 1);
	REFUSED(PAGE_ADD_ZERO, MAPPED, "inside a block", 0, IPA(515), PA(256), 1, 3);
}

static void page_add_zero(void)
{
	REFUSED(PAGE_ADD_ZERO, VM, "index 64", NIE_MAX_VMS, IPA(0), PA(256), 1, 3);
	REFUSED(PAGE_ADD_ZERO, VM_STATE, "free", 0, IPA(0), PA(256), 1, 3);
	build(0, 1);
	REFUSED(PAGE_ADD_ZERO, LEVEL, "level 1", 0, IPA(0), PA(256), 1, 1);
	REFUSED(PAGE_ADD_ZERO, LEVEL, "level 4", 0, IPA(0), PA(256), 1, 4);
	REFUSED(PAGE_ADD_ZERO, LEVEL, "level 2^32 + 3", 0, IPA(0), PA(256), 1, (1ULL << 32) + 3);
	REFUSED(PAGE_ADD_ZERO, COUNT, "no page", 0, IPA(0), PA(256), 0, 3);
	REFUSED(PAGE_ADD_ZERO, COUNT, "513 pages", 0, IPA(0), BLOCK(0), 513, 3);
	REFUSED(PAGE_ADD_ZERO, COUNT, "a block of 511", 0, IPA(512), BLOCK(0), 511, 2);
	REFUSED(PAGE_ADD_ZERO, COUNT, "a block's IPA not aligned", 0, IPA(513), BLOCK(0), 512, 2);
	REFUSED(PAGE_ADD_ZERO, COUNT, "a block's PA not aligned", 0, IPA(512), PA(513), 512, 2);
	REFUSED(PAGE_ADD_ZERO, COUNT, "IPA leaves its 2 MiB", 0, IPA(500), PA(256), 20, 3);
	REFUSED(PAGE_ADD_ZERO, COUNT, "PA leaves its 2 MiB", 0, IPA(0), PA(500), 20, 3);
	REFUSED(PAGE_ADD_ZERO, ALIGN, "IPA not aligned", 0, IPA(0) + 8, PA(256), 1, 3);
	REFUSED(PAGE_ADD_ZERO, ALIGN, "PA not aligned", 0, IPA(0), PA(256) + 8, 1, 3);
	REFUSED(PAGE_ADD_ZERO, IPA, "outside the space", 0, SPACE, PA(256), 1, 3);
	REFUSED(PAGE_ADD_ZERO, WINDOW, "above the window", 0, IPA(WINDOW_PAGES), PA(256), 1, 3);
	REFUSED(PAGE_ADD_ZERO, PA, "not RAM", 0, IPA(0), NOT_RAM, 1, 3);
	REFUSED(PAGE_ADD_ZERO, OWNER, "the engine's", 0, IPA(0), ENGINE_PA, 1, 3);
	REFUSED(PAGE_ADD_ZERO, OWNER, "a block with a table in it", 0, IPA(512), PA(0), 512, 2);
	REFUSED(PAGE_ADD_ZERO, NO_TABLE, "no level 3", 0, IPA(512), PA(256), 1, 3);
	REFUSED(PAGE_ADD_ZERO, MAPPED, "a table is there", 0, IPA(0), BLOCK(0), 512, 2);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(0), PA(256), 2, 3);
	REFUSED(PAGE_ADD_ZERO, MAPPED, "a page is there", 0, IPA(1), PA(300), 1, 3);
	GRANTED(VCPU_CREATE, 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0), 0);
	GRANTED(VM_ACTIVATE, 0);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(2), PA(258), 1, 3);
	GRANTED(PAGE_REMOVE, 0, IPA(1), 1);
	REFUSED(PAGE_ADD_ZERO, SPENT, "taken before", 0, IPA(1), PA(300), 1, 3);
	GRANTED(VM_STOP, 0);
	REFUSED(PAGE_ADD_ZERO, VM_STATE, "stopped", 0, IPA(3), PA(300), 1, 3);
}

static void page_add_zero_without_level2(void)
{
	GRANTED(VM_CREATE, 0, ROOT(0), IPA(0), WINDOW_PAGES, 1);
	REFUSED(PAGE_ADD_ZERO, NO_TABLE, "no level 2", 0, IPA(0), BLOCK(0), 512, 2);
}

static void page_add_zero_scrubs(void)
{
	build(0, 1);
	for (uint32_t n = 0; n < 512; n++)
		poke((BLOCK(0) >> 12) + n, n, 0x5ec4e7);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(512), BLOCK(0), 512, 2);
	GRANTED(TABLE_ADD, 0, IPA(1024), 3, PA(300));
	poke(BLOCK(1) >> 12, 5, 7);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(1024), BLOCK(1), 512, 3);
	for (uint32_t n = 0; n < 1024; n++)
		CHECK(page_is_zero((BLOCK(0) >> 12) + n));
}

static void page_remove(void)
{
	REFUSED(PAGE_REMOVE, VM, "index 64", NIE_MAX_VMS, IPA(0), 1);
	REFUSED(PAGE_REMOVE, VM_STATE, "free", 0, IPA(0), 1);
	build(1, 1);
	REFUSED(PAGE_REMOVE, VM_STATE, "building", 1, IPA(0), 1);
	active(0, 1);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(512), BLOCK(0), 512, 2);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(2), PA(300), 1, 3);
	REFUSED(PAGE_REMOVE, ALIGN, "IPA not aligned", 0, IPA(0) + 1, 1);
	REFUSED(PAGE_REMOVE, COUNT, "no page", 0, IPA(0), 0);
	REFUSED(PAGE_REMOVE, COUNT, "513 pages", 0, IPA(0), 513);
	REFUSED(PAGE_REMOVE, COUNT, "leaves its 2 MiB", 0, IPA(511), 2);
	REFUSED(PAGE_REMOVE, IPA, "outside the space", 0, SPACE, 1);
	REFUSED(PAGE_REMOVE, BLOCK, "inside a block", 0, IPA(513), 1);
	REFUSED(PAGE_REMOVE, BLOCK, "a whole block", 0, IPA(512), 512);
	REFUSED(PAGE_REMOVE, NO_TABLE, "no level 3", 0, IPA(1024), 1);
	REFUSED(PAGE_REMOVE, NO_TABLE, "no level 2", 0, 0, 1);
	REFUSED(PAGE_REMOVE, UNMAPPED, "Empty", 0, IPA(3), 1);
	REFUSED(PAGE_REMOVE, UNMAPPED, "Empty after a page", 0, IPA(2), 2);
	REFUSED(PAGE_REMOVE, NOT_CONTIGUOUS, "two pages apart", 0, IPA(1), 2);
	CHECK_EQ(GRANTED(PAGE_REMOVE, 0, IPA(2), 1), PA(300));
	REFUSED(PAGE_REMOVE, UNMAPPED, "Spent", 0, IPA(2), 1);
	GRANTED(VM_STOP, 0);
	CHECK_EQ(GRANTED(PAGE_REMOVE, 0, IPA(0), 2), CODE(0));
}

static void page_remove_scrubs(void)
{
	active(0, 1);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	poke(ZERO(0) >> 12, 77, 0x5ec4e7);
	GRANTED(PAGE_REMOVE, 0, IPA(0), 2);
	CHECK(page_is_zero(CODE(0) >> 12) && page_is_zero(ZERO(0) >> 12));
	CHECK_EQ(granule(CODE(0)), GRANULE_HOST);
	kick(1);
}

/* Taken and given back at the same IPA: forged data would be there. */
static void spent_stays_spent(void)
{
	active(0, 1);
	GRANTED(PAGE_REMOVE, 0, IPA(1), 1);
	REFUSED(PAGE_ADD_ZERO, SPENT, "the same page again", 0, IPA(1), ZERO(0), 1, 3);
	REFUSED(PAGE_ADD_ZERO, SPENT, "in a range", 0, IPA(1), PA(300), 2, 3);
	REFUSED(TABLE_REMOVE, NOT_EMPTY, "a table with a Spent entry", 0, IPA(0), 3);
	REFUSED(TABLE_ADD, MAPPED, "another table there", 0, IPA(0), 3, PA(301));
}

static void page_shared_add(void)
{
	REFUSED(PAGE_SHARED_ADD, VM, "index 64", NIE_MAX_VMS, SHARED(0), PA(256), 1);
	REFUSED(PAGE_SHARED_ADD, VM_STATE, "free", 0, SHARED(0), PA(256), 1);
	active(0, 1);
	REFUSED(PAGE_SHARED_ADD, ALIGN, "IPA not aligned", 0, SHARED(0) + 1, PA(256), 1);
	REFUSED(PAGE_SHARED_ADD, ALIGN, "PA not aligned", 0, SHARED(0), PA(256) + 1, 1);
	REFUSED(PAGE_SHARED_ADD, COUNT, "no page", 0, SHARED(0), PA(256), 0);
	REFUSED(PAGE_SHARED_ADD, COUNT, "513 pages", 0, SHARED(0), BLOCK(0), 513);
	REFUSED(PAGE_SHARED_ADD, COUNT, "IPA leaves its 2 MiB", 0, SHARED(511), PA(256), 2);
	REFUSED(PAGE_SHARED_ADD, COUNT, "PA leaves its 2 MiB", 0, SHARED(0), PA(511), 2);
	REFUSED(PAGE_SHARED_ADD, IPA, "in the lower half", 0, IPA(5), PA(256), 1);
	REFUSED(PAGE_SHARED_ADD, IPA, "outside the space", 0, SPACE, PA(256), 1);
	REFUSED(PAGE_SHARED_ADD, PA, "not RAM", 0, SHARED(0), NOT_RAM, 1);
	REFUSED(PAGE_SHARED_ADD, OWNER, "its own data", 0, SHARED(0), CODE(0), 1);
	REFUSED(PAGE_SHARED_ADD, OWNER, "its run record", 0, SHARED(0), RUN(0, 0), 1);
	REFUSED(PAGE_SHARED_ADD, NO_TABLE, "no level 3", 0, SHARED(512), PA(256), 1);
	GRANTED(PAGE_SHARED_ADD, 0, SHARED(0), PA(256), 4);
	REFUSED(PAGE_SHARED_ADD, MAPPED, "a page is there", 0, SHARED(3), PA(300), 1);
	REFUSED(PAGE_SHARED_ADD, OWNER, "shared already", 0, SHARED(9), PA(256), 1);
	REFUSED(PAGE_ADD_ZERO, OWNER, "a shared page as data", 0, IPA(9), PA(256), 1, 3);
	CHECK_EQ(GRANTED(PAGE_REMOVE, 0, SHARED(0), 4), PA(256));
	REFUSED(PAGE_SHARED_ADD, SPENT, "taken before", 0, SHARED(0), PA(256), 1);
	GRANTED(VM_STOP, 0);
	REFUSED(PAGE_SHARED_ADD, VM_STATE, "stopped", 0, SHARED(9), PA(256), 1);
}

static void page_shared_keeps_content(void)
{
	active(0, 1);
	poke(PA(256) >> 12, 3, 0x1234);
	GRANTED(PAGE_SHARED_ADD, 0, SHARED(0), PA(256), 1);
	CHECK_EQ(peek(PA(256) >> 12, 3), 0x1234);
	GRANTED(PAGE_REMOVE, 0, SHARED(0), 1);
	CHECK_EQ(peek(PA(256) >> 12, 3), 0x1234);
	CHECK_EQ(granule(PA(256)), GRANULE_HOST);
}

static void block_split(void)
{
	uint64_t page, before = 0;
	uint32_t level;

	active(0, 1);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(512), BLOCK(0), 512, 2);
	CHECK(tlb_lookup(1, IPA(600) >> 12, &before, &level) && level == 2);
	poke(BLOCK(0) >> 12, 9, 0x99);
	GRANTED(TABLE_ADD, 0, IPA(512), 3, PA(300));
	for (uint32_t i = 0; i < 512; i++)
		CHECK(tlb_lookup(1, (IPA(512) >> 12) + i, &page, &level) && level == 3 &&
		      page == (BLOCK(0) >> 12) + i);
	CHECK_EQ(peek(BLOCK(0) >> 12, 9), 0x99);
	CHECK_EQ(GRANTED(PAGE_REMOVE, 0, IPA(513), 511), BLOCK(0) + 0x1000);
	REFUSED(TABLE_ADD, MAPPED, "split twice", 0, IPA(512), 3, PA(301));
	GRANTED(PAGE_REMOVE, 0, IPA(512), 1);
}

static void block_split_needs_level2(void)
{
	build(0, 1);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(512), BLOCK(0), 512, 2);
	REFUSED(TABLE_ADD, MAPPED, "level 2 over its table", 0, IPA(0), 2, PA(300));
	GRANTED(TABLE_ADD, 0, IPA(512), 3, PA(300));
}

/* The host's own blocks: the first donation in a 2 MiB splits it, no page but the given one is lost. */
static void host_block_is_split(void)
{
	uint64_t page;
	uint32_t level;

	CHECK(tlb_lookup(0, PA(5) >> 12, &page, &level) && level == 2);
	GRANTED(VM_CREATE, 0, PA(5), IPA(0), 16, 1);
	CHECK(!tlb_lookup(0, PA(5) >> 12, &page, &level));
	CHECK(tlb_lookup(0, PA(4) >> 12, &page, &level) && level == 3);
	CHECK(tlb_lookup(0, PA(512) >> 12, &page, &level) && level == 2);
}

TESTS(pages, TEST(page_add), TEST(page_add_moves_the_page), TEST(page_add_in_a_block),
      TEST(page_add_zero), TEST(page_add_zero_without_level2), TEST(page_add_zero_scrubs),
      TEST(page_remove), TEST(page_remove_scrubs), TEST(spent_stays_spent), TEST(page_shared_add),
      TEST(page_shared_keeps_content), TEST(block_split), TEST(block_split_needs_level2),
      TEST(host_block_is_split));
