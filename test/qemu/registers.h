/* SPDX-License-Identifier: Apache-2.0 */
/* Every encoding of MSR and MRS that EL1 could have a register at, written and read by a VM or the host. */
#ifndef TEST_QEMU_REGISTERS_H
#define TEST_QEMU_REGISTERS_H

#include "guest.h"

#pragma GCC visibility push(hidden)

/* Encodings are op0 - 2, op1, CRn, CRm, op2 in 15 bits; op1 from 4 on is not EL1's. */
enum { ENCODINGS = 1 << 15, REGISTER_PAGES = ENCODINGS / 2 / 512 };
#define NUMBER(op0, op1, crn, crm, op2) \
	((((op0) - 2) << 14) | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
/* Where a VM remembers what it read: one word for each. */
#define REGISTERS (WINDOW + 128 * 4096)

/* Answers to its reports: what to do next, then it reports DONE. COMPARE reports VALUE, with the number, for each
 * register that does not read as it did the last time. */
enum { WRITE_ZEROES = 1, WRITE_ONES = 2, COMPARE = 3 };
guest_program guest_registers;

/* Execute the MSR or MRS at `slot`, in x9 `value`; returns x9, or 0 when it was undefined. */
uint64_t guest_register(uint64_t slot, uint64_t value);
uint64_t host_register(uint64_t slot, uint64_t value);

#pragma GCC visibility pop
#endif
