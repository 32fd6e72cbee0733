/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of these tests: a stream of inputs and a log of outputs. */
#ifndef RULES_PRIM_H
#define RULES_PRIM_H

#include <stdbool.h>
#include <stdint.h>

/* A number that depends on the port and on how many came before. */
uint64_t input(uint64_t port);
/* Appends to the log, which is compared. */
void output(uint64_t value);

#endif
