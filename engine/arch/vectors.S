/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions: from below to trap() of the core, from EL2 itself to panic. */
#include "layout.h"

	/* From EL1 or EL0: trap kind in x1, x0 and x1 on the stack. TPIDR_EL2 = &cpus[cpu], where x0-x30 go. */
	.macro	lower kind
	.balign	128
	stp	x0, x1, [sp, #-16]!
	mov	x1, #\kind
	b	from_lower
	.endm

	/* From EL2: this CPU's stack may be what failed, so it begins anew. Nothing is resumed. */
	.macro	own
	.balign	128
	b	from_el2
	.endm

	.text
	.balign	2048
	.global vectors
vectors:
	own	/* SP_EL0: sync, IRQ, FIQ, SError */
	own
	own
	own
	own	/* SP_EL2 */
	own
	own
	own
	lower	0	/* AArch64: order of enum trap_kind */
	lower	1
	lower	2
	lower	3
	lower	0	/* AArch32 at EL0 */
	lower	1
	lower	2
	lower	3
	.balign	128

	/* What C may change, and x19, which keeps the kind meanwhile. */
from_lower:
	mrs	x0, tpidr_el2
	stp	x2, x3, [x0, #16]
	stp	x4, x5, [x0, #32]
	stp	x6, x7, [x0, #48]
	stp	x8, x9, [x0, #64]
	stp	x10, x11, [x0, #80]
	stp	x12, x13, [x0, #96]
	stp	x14, x15, [x0, #112]
	stp	x16, x17, [x0, #128]
	stp	x18, x19, [x0, #144]
	stp	x29, x30, [x0, #232]
	ldp	x2, x3, [sp], #16
	stp	x2, x3, [x0]
	mov	x19, x1
	ldr	x0, [sp, #CPU_SLOT]
	bl	quick
	tbz	w0, #0, slow

	/* x20-x28 are as they came: C preserves them [AAPCS64, 6.1.1]. */
	mrs	x30, tpidr_el2
	ldp	x0, x1, [x30]
	ldp	x2, x3, [x30, #16]
	ldp	x4, x5, [x30, #32]
	ldp	x6, x7, [x30, #48]
	ldp	x8, x9, [x30, #64]
	ldp	x10, x11, [x30, #80]
	ldp	x12, x13, [x30, #96]
	ldp	x14, x15, [x30, #112]
	ldp	x16, x17, [x30, #128]
	ldp	x18, x19, [x30, #144]
	ldp	x29, x30, [x30, #232]
	eret
	/* Nothing after ERET is executed speculatively. */
	dsb	nsh
	isb

slow:
	mrs	x2, tpidr_el2
	stp	x20, x21, [x2, #160]
	stp	x22, x23, [x2, #176]
	stp	x24, x25, [x2, #192]
	stp	x26, x27, [x2, #208]
	str	x28, [x2, #224]
	ldr	x0, [sp, #CPU_SLOT]
	mov	x1, x19
	bl	trap
	cbnz	w0, start_off

	/* Every general register comes from the frame: nothing of the engine's is left in one. */
	.global resume
resume:
	mrs	x30, tpidr_el2
	ldp	x0, x1, [x30]
	ldp	x2, x3, [x30, #16]
	ldp	x4, x5, [x30, #32]
	ldp	x6, x7, [x30, #48]
	ldp	x8, x9, [x30, #64]
	ldp	x10, x11, [x30, #80]
	ldp	x12, x13, [x30, #96]
	ldp	x14, x15, [x30, #112]
	ldp	x16, x17, [x30, #128]
	ldp	x18, x19, [x30, #144]
	ldp	x20, x21, [x30, #160]
	ldp	x22, x23, [x30, #176]
	ldp	x24, x25, [x30, #192]
	ldp	x26, x27, [x30, #208]
	ldp	x28, x29, [x30, #224]
	ldr	x30, [x30, #240]
	eret
	/* Nothing after ERET is executed speculatively. */
	dsb	nsh
	isb

from_el2:
	mrs	x0, mpidr_el1
	and	x0, x0, #STACKS - 1
	adrp	x1, stacks
	mov	x2, #STACK_STRIDE
	madd	x1, x0, x2, x1
	add	x1, x1, #STACK_STRIDE
	sub	sp, x1, #16
	b	panic_exception
