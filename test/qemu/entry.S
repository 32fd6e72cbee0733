/* SPDX-License-Identifier: Apache-2.0 */
/* The start of each vCPU, and what C cannot say. x0: offset of the program, argument in the upper half. */

	.section .guest.start, "ax"
	mrs	x1, mpidr_el1
	and	x1, x1, #7
	adr	x2, guest_start
	add	x3, x2, #33 * 4096
	add	x3, x3, x1, lsl #12
	mov	sp, x3
	adr	x3, guest_vectors
	msr	vbar_el1, x3
	mov	x3, #3 << 20
	msr	cpacr_el1, x3
	isb
	add	x2, x2, w0, uxtw
	lsr	x0, x0, #32
	blr	x2
	b	.

	/* An exception at EL1: ESR in x17, on at x16. */
	.macro	guest_vector
	.balign	128
	mrs	x17, esr_el1
	msr	elr_el1, x16
	eret
	.endm
	/* An interrupt: its number in x15, ended, the timer off before (else it is due again), on where it came. */
	.macro	guest_irq
	.balign	128
	mrs	x15, S3_0_C12_C12_0
	msr	cntv_ctl_el0, xzr
	msr	S3_0_C12_C12_1, x15
	eret
	.endm
	.balign	2048
guest_vectors:
	.rept	5
	guest_vector
	.endr
	guest_irq
	.rept	10
	guest_vector
	.endr
	.balign	128

	.section .guest, "ax"
	.global guest_load
guest_load: /* x0 = address, x1 = where the value goes; returns ESR_EL1 or 0 */
	adr	x16, 1f
	mov	x17, #0
	ldr	x2, [x0]
	str	x2, [x1]
1:	mov	x0, x17
	ret

	.global guest_jump
guest_jump: /* x0 = address of a RET; returns ESR_EL1 or 0 */
	adr	x16, 1f
	mov	x17, #0
	mov	x11, x30
	blr	x0
1:	mov	x30, x11
	mov	x0, x17
	ret

	.global guest_call
guest_call: /* x0 = address of code, x1 = where its x0 goes; returns ESR_EL1 or 0 */
	mov	x12, x30
	mov	x13, x1
	mov	x11, x0
	adr	x16, 1f
	mov	x17, #0
	blr	x11
	str	x0, [x13]
1:	mov	x30, x12
	mov	x0, x17
	ret

	.global guest_wait
guest_wait: /* until an interrupt: its number. x0 = 1: without WFI */
	mov	x15, #-1
	msr	daifclr, #2
	isb
1:	cbnz	x0, 2f
	wfi
2:	cmn	x15, #1
	b.eq	1b
	msr	daifset, #2
	mov	x0, x15
	ret

	/* x0 = pattern, x1 = code, x2 = value: every register is derived from the pattern, then the host is called; returns
	 * the number of registers that changed meanwhile. x0-x3 are the answer. */
	.global guest_check_registers
guest_check_registers:
	stp	x29, x30, [sp, #-96]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	mov	x19, x0
	.irp	n, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	add	x\n, x19, #\n
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	add	x3, x19, #64 + \n
	dup	v\n\().2d, x3
	.endr
	.irp	r, tpidr_el0, tpidrro_el0, tpidr_el1, far_el1, elr_el1, sp_el0, ttbr0_el1, ttbr1_el1, contextidr_el1
	msr	\r, x19
	.endr
	.irp	n, 3, 4, 5, 6
	mov	x\n, #0
	.endr
	mov	w0, #0x0102
	movk	w0, #0xc600, lsl #16
	hvc	#0
	mov	x4, #0
	.irp	n, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	sub	x5, x\n, x19
	cmp	x5, #\n
	cinc	x4, x4, ne
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	add	x3, x19, #64 + \n
	mov	x5, v\n\().d[0]
	mov	x6, v\n\().d[1]
	cmp	x5, x3
	ccmp	x6, x3, #0, eq
	cinc	x4, x4, ne
	.endr
	.irp	r, tpidr_el0, tpidrro_el0, tpidr_el1, far_el1, elr_el1, sp_el0, ttbr0_el1, ttbr1_el1
	mrs	x5, \r
	cmp	x5, x19
	cinc	x4, x4, ne
	.endr
	mrs	x5, contextidr_el1
	cmp	w5, w19
	cinc	x4, x4, ne
	mov	x0, x4
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #96
	ret
