/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of count.so that tells a VM's instructions below EL2 from its host's, on a machine of one CPU, and the engine's
 * hashing from the rest: life=START:END, hexadecimal addresses at EL2.
 */
#ifndef NIE_BENCH_LIFE_H
#define NIE_BENCH_LIFE_H

#include "plugin.h"

#include <stdio.h>

/* Of count.c: instructions of all CPUs at a level until now. */
uint64_t count_now(unsigned int level);

/* One argument of the plugin, perhaps this part's. */
void life_option(const char *argument);
bool life_on(void);

/* A register of the machine, as QEMU names it; then: has it all that is needed? */
void life_register(const char *name, void *handle);
bool life_ready(void);

/* An instruction is translated at an exception level. */
void life_translated(struct qemu_plugin_insn *insn, unsigned int level, bool is_eret);

/* A sample begins; then, at its end: instructions of the hashing, of the VM at EL0 and at EL1, each after a tab. */
void life_begin(void);
void life_print(FILE *out);

#endif
