/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stage 2 translation tables: VMSAv8-64, 4 KiB granule, 39-bit IPA, levels 1 to 3 [ArmARM, D8.2, D8.3].
 * An invalid descriptor of a VM is Empty (0) or Spent; both fault.
 */
#ifndef NIE_STAGE2_H
#define NIE_STAGE2_H

#include "state.h"

enum { LEVEL_ROOT = 1, LEVEL_BLOCK = 2, LEVEL_PAGE = 3, ENTRIES = 512 };

enum descriptor {
	DESC_EMPTY = 0,
	DESC_BLOCK = 1,
	DESC_TABLE = 3,
	DESC_PAGE = 3,
	/* Bit 0 is clear, so that hardware faults; only software reads the rest [ArmARM, D8.3.1]. */
	DESC_SPENT = 4,
	/* MemAttr Normal write-back, S2AP read/write, inner shareable, AF [ArmARM, D8.3.2]. */
	DESC_NORMAL = 0xfULL << 2 | 3ULL << 6 | 3ULL << 8 | 1ULL << 10,
	/* XN: never executed. */
	DESC_XN = 2ULL << 53,
	/* Device-nGnRE. */
	DESC_DEVICE = 1ULL << 2 | 3ULL << 6 | 1ULL << 10 | 2ULL << 53,
};

static inline bool desc_valid(uint64_t desc)
{
	return (desc & 1) != 0;
}

/* At level 1 and 2; at level 3 the same bits mean a page. */
static inline bool desc_is_table(uint64_t desc)
{
	return (desc & 3) == DESC_TABLE;
}

static inline uint64_t desc_page(uint64_t desc)
{
	return (desc >> NIE_PAGE_SHIFT) & 0xfffffffffULL;
}

/* How many IPA pages one entry of a table at `level` covers: 1, 512 or 512 * 512. */
static inline uint64_t entry_pages(uint32_t level)
{
	return 1ULL << (9 * (LEVEL_PAGE - level));
}

/* The descriptor at which a walk ended. */
struct walk {
	uint64_t table; /* page number of the table that holds it */
	uint64_t desc;
	uint32_t index; /* 0..511 */
	uint32_t level; /* 1..3 */
};

/* Walk the tables of `vm` at ipa, down to `level` or to the first entry that is no table. */
struct walk s2_walk(uint32_t vm, struct ifn ipa, uint32_t level);

/* `count` entries from the walk's end are Empty; else NIE_E_SPENT or NIE_E_MAPPED. */
uint32_t s2_all_empty(struct walk w, uint64_t count);

/* Invalidate all that any CPU caches of the VM's translation; done at return. */
void s2_flush(uint32_t vm);

/* Put a descriptor where the walk ended; visible to walkers at return. */
void s2_write(struct walk w, uint64_t desc);
/* Replace a valid descriptor: break, flush, make [ArmARM, D8.17.1]. */
void s2_replace(uint32_t vm, struct walk w, uint64_t desc);

#endif
