/* SPDX-License-Identifier: Apache-2.0 */
/* The core, native, on a plain machine: what is done to it and what it does is logged, for the specification to judge. */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include <stdio.h>

#include "../../engine/core/core.h"
#include "../../engine/core/prim.h"
#include "../../engine/core/stage2.h"
#include "../../engine/core/state.h"

/* In pages: 12 MiB of RAM, the engine in the second 2 MiB. */
enum {
	RAM_BASE = 0x40000,
	RAM_PAGES = 6 * 512,
	ENGINE_BASE = RAM_BASE + 512,
	KEEP_BASE = RAM_BASE + 1024,
	GICD = 0x8000,
	GICR = 0x80a0,
	UART = 0x9000,
	CPUS = 4,
};

/* machine.c */
extern uint64_t memory[RAM_PAGES][512];
extern uint64_t registers[NIE_MAX_CPUS][REG_COUNT];
extern uint64_t vectors[NIE_MAX_CPUS][66];
extern uint64_t manifest[MAN_END];
extern uint32_t running_cpu;
void machine_reset(uint64_t seed);
/* Some words of the manifest are bent; RAM, if at all, so that it is refused. */
void manifest_bend(void);
/* 1 is about how often firmware and redistributors say no, or anything. */
extern uint64_t outside;

/* log.c: one line a fact; README.md has the format. */
void log_line(char kind, uint32_t count, const uint64_t *words);
void log_boot(void);
void log_before(uint32_t cpu, uint32_t kind);
void log_start(uint32_t cpu);
void log_after(uint32_t cpu, uint32_t result);
void log_flush(void);
void log_primitive(char kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* generate.c: one exception of CPU `cpu` is prepared; returns its kind. */
struct profile {
	uint8_t call[16]; /* weight of each of the host's calls, and of one that does not exist */
	uint8_t other
		[8]; /* host: SMC, register, abort, other; vCPU: call, register, abort, interrupt */
	uint8_t vms; /* how many VM indices are used */
	uint8_t wild; /* in 256: an argument is mutated */
	uint8_t big; /* in 256: ranges of many pages */
	uint8_t stop; /* in 256: a call takes apart rather than builds */
};
uint64_t rnd(void);
uint64_t below(uint64_t n);
void rnd_seed(uint64_t seed);
void profile_random(struct profile *p);
void profile_mutate(struct profile *p);
uint32_t generate(uint32_t cpu, const struct profile *p);

/* calls.c: x0..x6 of a call of the host's. */
void host_hvc(uint32_t cpu, const struct profile *p);
bool chance(uint32_t in_256);
uint32_t pick(const uint8_t *weights, uint32_t n);
void bend(uint64_t *x);

/* aims.c: a page that the host owns, if one is found soon; one at 2 MiB with align 512. */
uint64_t host_page(uint64_t align);
/* An IPA page of the VM: of its window, or of the upper half; near to others that are in use. */
uint64_t an_ipa(uint64_t vm, bool shared);
/* A granule of the VM in one of two states, and at that level; or NULL. */
const struct granule *find(uint64_t vm, uint32_t s, uint32_t or_s, uint32_t level);
/* An IPA page of the VM that is Spent; any when it has none. */
uint64_t a_spent_ipa(uint64_t vm);
/* A table that leads nowhere, though it may hold Spent entries. */
bool holds_nothing(const struct granule *g);

static inline bool is_ram(uint64_t page)
{
	return page >= RAM_BASE && page < RAM_BASE + RAM_PAGES;
}

#endif
