/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that assembly and C share. */
#ifndef NIE_ARCH_LAYOUT_H
#define NIE_ARCH_LAYOUT_H

/* Each CPU: one guard page, then two pages of stack, of which the top 16 bytes hold its number. */
#define STACK_GUARD  4096
#define STACK_STRIDE (3 * 4096)
#define STACKS       8
#define CPU_SLOT     0

/* Index 0: Device-nGnRnE. Index 1: Normal, write-back, allocating [ArmARM, MAIR_EL2]. */
#define MAIR_EL2_VALUE 0xff00

/*
 * [ArmARM, TCR_EL2, E2H 0]: T0SZ 25 (VA of 39 bits, one level 1 table), walks write-back and inner
 * shareable, 4 KiB granule, PS 40 bits, RES1 bits 23 and 31.
 */
#define TCR_EL2_VALUE (25 | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 16 | 1 << 23 | 1 << 31)

/* [ArmARM, SCTLR_EL2, E2H 0]: RES1 bits, with EIS and EOS: exceptions synchronise context. */
#define SCTLR_OFF 0x30c50830
/* M, C, SA (stack alignment), I, WXN (nothing is both writable and executable). */
#define SCTLR_ON (SCTLR_OFF | 1 << 0 | 1 << 2 | 1 << 3 | 1 << 12 | 1 << 19)

#endif
