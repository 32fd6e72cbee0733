/* SPDX-License-Identifier: Apache-2.0 */
/* The saved context of a vCPU, in the page that the host handed over for it. */
#ifndef NIE_CONTEXT_H
#define NIE_CONTEXT_H

#include "state.h"

/*
 * As after reset, but at EL1: all registers 0, MMU off, interrupts masked, PC = entry, x0 = argument. The
 * context page must be the engine's, and the vCPU not RUNNING.
 */
void context_reset(uint32_t vm, uint32_t vcpu, uint64_t entry, uint64_t argument);

#endif
