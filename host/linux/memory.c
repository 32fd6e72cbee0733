// SPDX-License-Identifier: GPL-2.0-only
/* RAM of a VM: taken from Linux, given to the engine, and back. */
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "nie.h"

/* For tests of what happens when memory is in pieces. */
static bool blocks = true;
module_param(blocks, bool, 0600);
MODULE_PARM_DESC(blocks, "take memory in blocks of 2 MiB where there are some");

/* A failure is better than the OOM killer: the monitor says "too little memory". */
#define NIE_GFP (GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

static u64 chunk_ipa(const struct nie_vm *vm, const struct nie_chunk *c)
{
	return vm->ram_base + (u64)(c - vm->chunk) * NIE_BLOCK_SIZE;
}

static struct page *chunk_page(const struct nie_chunk *c, u32 i)
{
	return c->block ? c->block + i : c->page[i];
}

static int chunk_alloc_pages(struct nie_chunk *c)
{
	u32 i;

	c->page = kcalloc(NIE_BLOCK_PAGES, sizeof(*c->page), GFP_KERNEL);
	if (!c->page)
		return -ENOMEM;
	for (i = 0; i < NIE_BLOCK_PAGES; i++) {
		c->page[i] = alloc_page(NIE_GFP | __GFP_ZERO);
		if (!c->page[i])
			return -ENOMEM; /* chunk_free frees what is there */
	}
	return 0;
}

static int chunk_alloc(struct nie_chunk *c)
{
	if (c->block || c->page)
		return 0;
	if (!READ_ONCE(blocks))
		return chunk_alloc_pages(c);
	c->block = alloc_pages((NIE_GFP & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY | __GFP_ZERO,
			       NIE_BLOCK_ORDER);
	return c->block ? 0 : chunk_alloc_pages(c);
}

/* Frees what the engine does not own; false when something stays. */
static bool chunk_free(struct nie_chunk *c)
{
	bool all = bitmap_empty(c->owned, NIE_BLOCK_PAGES);
	u32 i;

	if (c->block && all)
		__free_pages(c->block, NIE_BLOCK_ORDER);
	for (i = 0; c->page && i < NIE_BLOCK_PAGES; i++) {
		if (c->page[i] && !test_bit(i, c->owned))
			__free_page(c->page[i]);
	}
	kfree(c->page);
	return all;
}

int nie_memory_init(struct nie_vm *vm)
{
	u64 first = vm->ram_base >> 30, last = (vm->ram_base + vm->ram_size - 1) >> 30;

	vm->chunks = vm->ram_size / NIE_BLOCK_SIZE;
	vm->chunk = kvcalloc(vm->chunks, sizeof(*vm->chunk), GFP_KERNEL_ACCOUNT);
	vm->level2_count = last - first + 1;
	vm->level2 = kcalloc(vm->level2_count, sizeof(*vm->level2), GFP_KERNEL);
	return vm->chunk && vm->level2 ? 0 : -ENOMEM;
}

int nie_memory_load(struct nie_vm *vm, const struct nie_load *load)
{
	u64 offset = load->ipa - vm->ram_base, done = 0, part;
	struct nie_chunk *c;
	u32 page;

	if (offset > vm->ram_size || load->size > vm->ram_size - offset)
		return -EINVAL;
	for (; done < load->size; done += part, offset += part) {
		c = &vm->chunk[offset / NIE_BLOCK_SIZE];
		page = offset % NIE_BLOCK_SIZE / PAGE_SIZE;
		part = min_t(u64, load->size - done, PAGE_SIZE - offset % PAGE_SIZE);
		if (chunk_alloc(c))
			return -ENOMEM;
		if (copy_from_user(page_address(chunk_page(c, page)) + offset % PAGE_SIZE,
				   u64_to_user_ptr(load->from + done), part))
			return -EFAULT;
		set_bit(page, c->loaded);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* A page for a table of the engine at `level`, 2 or 3. */
static int table_give(struct nie_vm *vm, u64 ipa, u32 level, struct page **table)
{
	struct page *page;

	if (*table)
		return 0;
	page = alloc_page(NIE_GFP);
	if (!page)
		return -ENOMEM;
	if (nie_must(NIE_TABLE_ADD, vm->index, ipa, level, page_to_phys(page))) {
		__free_page(page);
		return -EIO;
	}
	*table = page;
	return 0;
}

/* How many pages from `i` on are alike, contiguous and in the same 2 MiB of memory; at most `max`. */
static u32 run_length(const struct nie_chunk *c, const unsigned long *map, u32 i, u32 max)
{
	unsigned long first = page_to_pfn(chunk_page(c, i));
	bool bit = test_bit(i, map);
	u32 n = 1;

	max = min_t(u32, max, NIE_BLOCK_PAGES - first % NIE_BLOCK_PAGES);
	while (n < max && i + n < NIE_BLOCK_PAGES && test_bit(i + n, map) == bit &&
	       page_to_pfn(chunk_page(c, i + n)) == first + n)
		n++;
	return n;
}

static int chunk_give_pages(struct nie_vm *vm, struct nie_chunk *c)
{
	u64 ipa = chunk_ipa(vm, c);
	int err = table_give(vm, ipa, 3, &c->table);
	phys_addr_t pa;
	u32 i, n;

	for (i = 0; !err && i < NIE_BLOCK_PAGES; i += n) {
		pa = page_to_phys(chunk_page(c, i));
		if (test_bit(i, c->loaded)) {
			n = run_length(c, c->loaded, i, NIE_PAGE_ADD_MAX);
			err = nie_must(NIE_PAGE_ADD, vm->index, ipa + i * PAGE_SIZE, pa, n);
		} else {
			n = run_length(c, c->loaded, i, NIE_RANGE_MAX);
			err = nie_must(NIE_PAGE_ADD_ZERO, vm->index, ipa + i * PAGE_SIZE, pa, n, 3);
		}
		if (!err)
			bitmap_set(c->owned, i, n);
		cond_resched();
	}
	return err;
}

static int chunk_give(struct nie_vm *vm, struct nie_chunk *c)
{
	u64 ipa = chunk_ipa(vm, c);
	int err = table_give(vm, ipa, 2, &vm->level2[(ipa >> 30) - (vm->ram_base >> 30)]);

	if (!err)
		err = chunk_alloc(c);
	if (err)
		return err;
	if (!c->block || !bitmap_empty(c->loaded, NIE_BLOCK_PAGES))
		return chunk_give_pages(vm, c);
	/* Kept for the end: a block is split before it is taken back, and that must not lack memory. */
	c->spare = alloc_page(NIE_GFP);
	if (!c->spare)
		return -ENOMEM;
	err = nie_must(NIE_PAGE_ADD_ZERO, vm->index, ipa, page_to_phys(c->block), NIE_BLOCK_PAGES,
		       2);
	if (!err)
		bitmap_fill(c->owned, NIE_BLOCK_PAGES);
	return err;
}

int nie_memory_give(struct nie_vm *vm)
{
	int err = 0;
	u32 i;

	for (i = 0; !err && i < vm->chunks; i++) {
		err = fatal_signal_pending(current) ? -EINTR : chunk_give(vm, &vm->chunk[i]);
		cond_resched();
	}
	return err;
}

static bool table_take_back(struct nie_vm *vm, u64 ipa, u32 level, struct page *table)
{
	if (!table)
		return true;
	if (nie_must(NIE_TABLE_REMOVE, vm->index, ipa, level))
		return false;
	__free_page(table);
	return true;
}

/* A block that was given whole becomes pages: PAGE_REMOVE takes pages only. */
static void chunk_split(struct nie_vm *vm, struct nie_chunk *c)
{
	struct page *spare = c->spare;

	c->spare = NULL;
	if (!spare)
		return;
	if (!bitmap_empty(c->owned, NIE_BLOCK_PAGES) &&
	    !nie_must(NIE_TABLE_ADD, vm->index, chunk_ipa(vm, c), 3, page_to_phys(spare)))
		c->table = spare;
	else
		__free_page(spare);
}

static bool chunk_take_back(struct nie_vm *vm, struct nie_chunk *c)
{
	u64 ipa = chunk_ipa(vm, c);
	u32 i, n;

	chunk_split(vm, c);
	for (i = 0; i < NIE_BLOCK_PAGES; i += n) {
		n = 1;
		if (!test_bit(i, c->owned))
			continue;
		n = run_length(c, c->owned, i, NIE_RANGE_MAX);
		if (!nie_must(NIE_PAGE_REMOVE, vm->index, ipa + i * PAGE_SIZE, n))
			bitmap_clear(c->owned, i, n);
	}
	return chunk_free(c) & table_take_back(vm, ipa, 3, c->table);
}

bool nie_memory_take_back(struct nie_vm *vm)
{
	bool all = true;
	u32 i;

	for (i = 0; vm->chunk && i < vm->chunks; i++) {
		all &= chunk_take_back(vm, &vm->chunk[i]);
		cond_resched();
	}
	for (i = 0; vm->level2 && i < vm->level2_count; i++)
		all &= table_take_back(vm, (vm->ram_base & ~(SZ_1G - 1ULL)) + (u64)i * SZ_1G, 2,
				       vm->level2[i]);
	kvfree(vm->chunk);
	kfree(vm->level2);
	vm->chunk = NULL;
	vm->level2 = NULL;
	return all;
}
