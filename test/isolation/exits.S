/* SPDX-License-Identifier: Apache-2.0 */
/* The VMs' assembly: an exit with every register full of the secret, or observed; and accesses that may abort. The vectors of
 * ../qemu/entry.S leave ESR_EL1 in x17 and go on at x16. */

	.macro	save_callee
	stp	x29, x30, [sp, #-112]!
	stp	x19, x20, [sp, #16]
	stp	x21, x22, [sp, #32]
	stp	x23, x24, [sp, #48]
	stp	x25, x26, [sp, #64]
	stp	x27, x28, [sp, #80]
	.endm
	.macro	load_callee
	ldp	x27, x28, [sp, #80]
	ldp	x25, x26, [sp, #64]
	ldp	x23, x24, [sp, #48]
	ldp	x21, x22, [sp, #32]
	ldp	x19, x20, [sp, #16]
	ldp	x29, x30, [sp], #112
	.endm
	/* x0-x27 from x30 on. */
	.macro	store_pairs
	stp	x0, x1, [x30]
	stp	x2, x3, [x30, #16]
	stp	x4, x5, [x30, #32]
	stp	x6, x7, [x30, #48]
	stp	x8, x9, [x30, #64]
	stp	x10, x11, [x30, #80]
	stp	x12, x13, [x30, #96]
	stp	x14, x15, [x30, #112]
	stp	x16, x17, [x30, #128]
	stp	x18, x19, [x30, #144]
	stp	x20, x21, [x30, #160]
	stp	x22, x23, [x30, #176]
	stp	x24, x25, [x30, #192]
	stp	x26, x27, [x30, #208]
	.endm
	.macro	when kind, to
	cmp	x3, #\kind
	b.eq	\to
	.endm

	.section .guest, "ax"
	/* The encodings that a VM can read: a count, then numbers. test/isolation/run writes them after the mark. */
	.balign	16
	.ascii	"nie-list-of-vm  "
	.global vm_list
vm_list:
	.skip	2048

	/* x0 = secret, x1 = struct keep. Every register that the exit does not release holds the secret. Returns how many
	 * are not as they were. */
	.global guest_keep
guest_keep:
	save_callee
	str	x1, [sp, #96]
	mov	x19, x0
	ldp	x3, x4, [x1]
	ldp	x5, x6, [x1, #16]
	adr	x16, 9f
	mov	x17, #0
	.irp	n, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	add	x\n, x19, #\n
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	add	x1, x19, #64 + \n
	dup	v\n\().2d, x1
	.endr
	.irp	r, tpidr_el0, tpidrro_el0, tpidr_el1, far_el1, elr_el1, esr_el1, sp_el0, ttbr0_el1, ttbr1_el1, contextidr_el1, par_el1
	msr	\r, x19
	.endr
	mov	x2, x19
	when	1, 1f
	when	2, 2f
	when	3, 3f
	when	4, 4f
	when	5, 5f
	when	6, 6f
	when	7, 7f
	when	8, 8f
	when	9, 10f
	when	10, 11f
	when	11, 12f
	when	12, 13f
	/* A call to the host: x0-x6 are released. */
	cmp	x3, #13
	mov	w0, #0x0102
	movk	w0, #0xc600, lsl #16
	mov	x1, x5
	mov	x2, x6
	mov	x3, #0
	mov	x4, #0
	mov	x5, #0
	mov	x6, #0
	b.eq	14f
	hvc	#0
	b	9f
14:	smc	#0
	b	9f
1:	strb	w5, [x4]
	b	9f
2:	strh	w5, [x4]
	b	9f
3:	str	w5, [x4]
	b	9f
4:	str	x5, [x4]
	b	9f
5:	ldrb	w5, [x4]
	b	9f
6:	ldrh	w5, [x4]
	b	9f
7:	ldr	w5, [x4]
	b	9f
8:	ldr	x5, [x4]
	b	9f
10:	wfi
	b	9f
11:	subs	x4, x4, #1
	b.ne	11b
	b	9f
12:	msr	S3_0_C12_C11_5, x5
	b	9f
13:	msr	cntv_cval_el0, x5
	msr	cntv_ctl_el0, x4
9:	ldr	x6, [sp, #96]
	stp	x0, x1, [x6, #32]
	stp	x2, x3, [x6, #48]
	stp	x5, x17, [x6, #64]
	mov	x4, #0
	.irp	n, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
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
	.irp	r, tpidr_el0, tpidrro_el0, tpidr_el1, sp_el0, ttbr0_el1, ttbr1_el1
	mrs	x5, \r
	cmp	x5, x19
	cinc	x4, x4, ne
	.endr
	mrs	x5, contextidr_el1
	cmp	w5, w19
	cinc	x4, x4, ne
	mov	x0, x4
	load_callee
	ret

	/* x0 = struct watch: a call to the host from known registers; then all of them, as they came back. */
	.global guest_watch
guest_watch:
	save_callee
	str	x0, [sp, #96]
	ldp	x1, x2, [x0]
	.irp	n, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	mov	x\n, #0x11 * \n
	.endr
	mov	w0, #0x0102
	movk	w0, #0xc600, lsl #16
	hvc	#0
	stp	x29, x30, [sp, #-16]!
	ldr	x30, [sp, #112]
	add	x30, x30, #16
	store_pairs
	str	x28, [x30, #224]
	ldp	x0, x1, [sp], #16
	stp	x0, x1, [x30, #232]
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	str	q\n, [x30, #256 + 16 * \n]
	.endr
	mrs	x0, fpcr
	mrs	x1, fpsr
	add	x30, x30, #768
	stp	x0, x1, [x30]
	load_callee
	ret

	.global guest_random
guest_random: /* RNDR: the entropy of the machine is what the two runs differ in */
	mrs	x0, S3_3_C2_C4_0
	ret

	.global guest_fill
guest_fill: /* x0 = page, x1 = pattern: word i becomes pattern + i; returns ESR_EL1 or 0 */
	adr	x16, 2f
	mov	x17, #0
	mov	x2, #512
1:	str	x1, [x0], #8
	add	x1, x1, #1
	subs	x2, x2, #1
	b.ne	1b
2:	mov	x0, x17
	ret

	.global guest_verify
guest_verify: /* x0 = page, x1 = pattern, x2 = its step; returns how many words are wrong, in x1 ESR_EL1 or 0 */
	adr	x16, 2f
	mov	x17, #0
	mov	x3, #512
	mov	x4, #0
1:	ldr	x5, [x0], #8
	cmp	x5, x1
	cinc	x4, x4, ne
	add	x1, x1, x2
	subs	x3, x3, #1
	b.ne	1b
2:	mov	x0, x4
	mov	x1, x17
	ret

	.global guest_run_code
guest_run_code: /* x0 = code, x1 = its x9, x2 = its x10 */
	mov	x12, x30
	mov	x9, x1
	mov	x10, x2
	blr	x0
	mov	x30, x12
	ret
