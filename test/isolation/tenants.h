/* SPDX-License-Identifier: Apache-2.0 */
/* The host's VMs and its calls: every call of CPU 0 is observed, and what it changed is kept in mind. */
#ifndef TEST_ISOLATION_TENANTS_H
#define TEST_ISOLATION_TENANTS_H

#include "observe.h"

#pragma GCC visibility push(hidden)

enum { TENANTS = 4, PLACES = 64, POOL_PAGES = 176 };
enum program { NOBODY, KEEPER, WATCHER };
/* What is at an IPA. level: 2 or 3, a table; PLACE_PAGE; PLACE_BLOCK, 512 pages, until it is split. */
enum { PLACE_PAGE = 4, PLACE_BLOCK = 5, PLACE_SPLIT = 6 };
struct place {
	uint64_t ipa, pa, level;
};
struct tenant {
	enum program program;
	uint64_t state, root, context, run, places;
	struct place place[PLACES];
};
extern struct tenant tenant[TENANTS];
extern uint64_t block; /* a page of a 2 MiB that belong to one tenant at a time */

/* The host's random numbers. */
void seed_is(uint64_t seed);
uint64_t draw(uint64_t below);
uint64_t draw64(void);

/* Returns the status. */
uint64_t ask(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3, uint64_t x4, uint64_t x5,
	     uint64_t x6);
/* A page of the pool that serves nothing, or 0; any of them. */
uint64_t fresh(void);
uint64_t any_page(void);
uint64_t any_place(uint32_t i);
struct place *place_at(uint32_t i, uint64_t ipa);
/* The index of the keeper, or TENANTS. */
uint32_t keeper(void);

void build(uint32_t i, enum program program, guest_program *code);
void destroy(uint32_t i);
/* PAGE_ADD_ZERO of one page, PAGE_SHARED_ADD, a block, its split. */
void add_zero(uint32_t i, uint64_t ipa);
void add_shared(uint32_t i, uint64_t ipa, uint64_t pa);
void add_block(uint32_t i);
void split_block(uint32_t i);

#pragma GCC visibility pop
#endif
