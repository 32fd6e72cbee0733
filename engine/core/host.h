/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's stage 2: identity. Laid out once: the root, a level 2 table for each GiB, level 3 tables for the
 * device span, then one for each 2 MiB of RAM, so that a page's entry is found by arithmetic.
 * I-HOST: the level 3 entry of a RAM page is valid exactly when its granule is HOST, SHARED or RUN. A level 2
 * entry of RAM is a block only while all its 512 entries are valid, and nothing where the engine lies.
 */
#ifndef NIE_HOST_H
#define NIE_HOST_H

#include "state.h"

/* How many pages the tables take for the configuration. */
uint64_t host_tables_pages(void);
/* At boot, granule table filled: write all tables. */
void host_tables_init(void);

/* A redistributor's first page, which the host does not map: LPI tables would let it read any memory. */
bool is_redistributor_base(uint64_t page);
/* The host may access the page: RAM by granule state, or a device of the manifest. */
bool host_may_access(struct pfn p);

/* Unmap count pages of RAM (one 2 MiB) from the host; complete on all CPUs at return. */
void host_hide(struct pfn p, uint64_t count);
/* Map one page of RAM again that was hidden. */
void host_show(struct pfn p);

#endif
