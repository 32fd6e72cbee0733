/* SPDX-License-Identifier: Apache-2.0 */
/* What a random host program does; i: a tenant, which need not exist. */
#ifndef TEST_ISOLATION_STEPS_H
#define TEST_ISOLATION_STEPS_H

#include "tenants.h"

#pragma GCC visibility push(hidden)

/* Run tenant i on this CPU with an answer to its last exit; returns the status, or the reason of the exit. */
uint64_t enter_with(uint32_t cpu, uint32_t i, uint64_t x0, uint64_t x1, uint64_t x2);

void step_run(uint32_t i);
void step_build(uint32_t i);
void step_destroy(uint32_t i);
void step_wild(uint32_t i);
void step_pages(uint32_t i);
void step_block(uint32_t i);
void step_probe(uint32_t i);
void step_scribble(uint32_t i);
void step_smc(uint32_t i);
/* A page of the keeper's as a watcher's shared one, which then reads it. */
void step_steal(uint32_t i);
/* The keeper writes its secret on CPU 1 for ever while this CPU takes the page away; CPU 3 makes them take turns every
 * few hundred instructions. */
void step_race(uint32_t i);

#pragma GCC visibility pop
#endif
