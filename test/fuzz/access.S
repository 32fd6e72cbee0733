/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzzing host cannot say in C: accesses that may fault, and an entry that looks at every register. */

	.text
	/* As in ../qemu/start.S: TPIDR_EL1 = where to resume after a fault, then ESR. */
	.macro	expect_fault to
	mrs	x9, tpidr_el1
	adr	x10, \to
	str	xzr, [x9, #8]
	str	x10, [x9]
	.endm
	.macro	expect_no_more
	dsb	sy
	isb
	str	xzr, [x9]
	ldr	x11, [x9, #8]
	.endm

	.global page_scan
page_scan: /* x0 = page, x1 = first word, x2 = where an odd word goes */
	expect_fault 3f
	movz	x3, #0xb057
	movk	x3, #0xb057, lsl #16
	movk	x3, #0xb057, lsl #32
	movk	x3, #0xb057, lsl #48
	mov	x8, #0
	lsl	x1, x1, #3
1:	ldr	x4, [x0, x1]
	cbz	x4, 2f
	cmp	x4, x3
	b.eq	2f
	mov	x8, #1
	str	x4, [x2]
2:	add	x1, x1, #8
	tbz	x1, #12, 1b
3:	expect_no_more
	mov	x0, x8
	cbz	x11, 4f
	mov	x0, #2
4:	ret

	.global page_copy
page_copy: /* x0 = to, x1 = from, x2 = bytes */
	expect_fault 2f
1:	ldr	x3, [x1], #8
	str	x3, [x0], #8
	subs	x2, x2, #8
	b.ne	1b
2:	expect_no_more
	mov	x0, x11
	ret

	.global run_with_pattern
run_with_pattern: /* x0 = VM, x1 = vCPU, x2 = pattern, x3 = where the count goes; returns the status */
	stp	x29, x30, [sp, #-112]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	stp	x2, x3, [sp, #96]
	mov	x4, #3 << 20
	msr	cpacr_el1, x4
	isb
	.irp	r, tpidr_el0, tpidrro_el0, far_el1, elr_el1, sp_el0, ttbr1_el1, contextidr_el1
	msr	\r, x2
	.endr
	mov	x30, x2
	mov	x2, x1
	mov	x1, x0
	mov	w0, #0x0008
	movk	w0, #0xc600, lsl #16
	.irp	n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
	add	x\n, x30, #\n
	.endr
	hvc	#0
	/* x1 and x2 are free: they held the arguments. */
	ldr	x1, [sp, #96]
	mov	x2, #0
	.irp	n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
	sub	x\n, x\n, x1
	cmp	x\n, #\n
	cinc	x2, x2, ne
	.endr
	cmp	x30, x1
	cinc	x2, x2, ne
	.irp	r, tpidr_el0, tpidrro_el0, far_el1, elr_el1, sp_el0, ttbr1_el1
	mrs	x3, \r
	cmp	x3, x1
	cinc	x2, x2, ne
	.endr
	mrs	x3, contextidr_el1
	cmp	w3, w1
	cinc	x2, x2, ne
	/* After an exit V0-V31 are zero; a call that was refused has not touched them. */
	cbnz	x0, 1f
	.irp	n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	orr	v0.16b, v0.16b, v\n\().16b
	.endr
	mov	x3, v0.d[0]
	mov	x4, v0.d[1]
	orr	x3, x3, x4
	cmp	x3, #0
	cinc	x2, x2, ne
1:	ldr	x3, [sp, #104]
	str	x2, [x3]
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #112
	ret
