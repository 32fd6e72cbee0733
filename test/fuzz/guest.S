/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors and risky accesses of the programs. TPIDRRO_EL0 = where to go on after a fault; 0: nothing is to be saved. */

	.section .guest, "ax"
	.macro	risky_vector
	.balign	128
	mrs	x17, tpidrro_el0
	cbz	x17, risky_dead
	msr	elr_el1, x17
	mrs	x17, esr_el1
	eret
	.endm
	.macro	risky_irq
	.balign	128
	mrs	x17, S3_0_C12_C12_0
	msr	cntv_ctl_el0, xzr
	msr	S3_0_C12_C12_1, x17
	eret
	.endm

	.balign	2048
	.global risky_vectors
risky_vectors:
	.rept	5
	risky_vector
	.endr
	risky_irq
	.rept	10
	risky_vector
	.endr
	.balign	128
	/* Its memory was taken: nothing that it would say could be believed. */
risky_dead:
	wfi
	b	risky_dead

	.global risky_load
risky_load: /* x0 = address, x1 = the value in and out of a register; returns ESR_EL1 or 0 in x0, the value in x1 */
	adr	x2, 1f
	msr	tpidrro_el0, x2
	isb
	mov	x17, #0
	ldr	x1, [x0]
1:	msr	tpidrro_el0, xzr
	mov	x0, x17
	ret

	.global risky_store
risky_store: /* x0 = address, x1 = value; returns ESR_EL1 or 0 */
	adr	x2, 1f
	msr	tpidrro_el0, x2
	isb
	mov	x17, #0
	str	x1, [x0]
1:	msr	tpidrro_el0, xzr
	mov	x0, x17
	ret

	.global risky_jump
risky_jump: /* x0 = code that ends with RET, x1 = what its x0-x7 hold; returns ESR_EL1 or 0. All may be lost. */
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	adr	x2, 1f
	msr	tpidrro_el0, x2
	mov	x2, sp
	msr	tpidr_el1, x2
	mov	x9, x0
	mov	x8, x1
	ldp	x0, x1, [x8]
	ldp	x2, x3, [x8, #16]
	ldp	x4, x5, [x8, #32]
	ldp	x6, x7, [x8, #48]
	mov	x17, #0
	isb
	blr	x9
1:	mrs	x2, tpidr_el1
	mov	sp, x2
	msr	tpidrro_el0, xzr
	mov	x0, x17
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #96
	ret
