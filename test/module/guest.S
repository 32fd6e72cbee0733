/* SPDX-License-Identifier: Apache-2.0 */
/* Guests of a few instructions, copied to the VM's RAM: position independent, MMU off. */
	.section .rodata
	.balign 4
	.global guest_spin, guest_talk, guest_devices, guest_interrupts, guest_end

/* Does nothing for ever. */
guest_spin:
	b	guest_spin

/* Host calls for ever: the first says 1, each later one what the last was answered. */
guest_talk:
	mov	x1, #1
0:	mov	x0, #0x0102
	movk	x0, #0xc600, lsl #16
	mov	x6, #6
	hvc	#0
	add	x1, x0, x3
	b	0b

/* Loads from one device and stores to the next, looks at the interrupt controller, tells, powers off. */
guest_devices:
	mov	x9, #0x0a000000
	ldrsh	w1, [x9, #2]
	str	x1, [x9, #8]
	mov	x9, #0x08000000
	ldr	w2, [x9, #4]
	mov	x0, #0x0102
	movk	x0, #0xc600, lsl #16
	hvc	#0
	mov	x0, #0x0008
	movk	x0, #0x8400, lsl #16
	hvc	#0
	b	guest_spin

/*
 * vCPU 0 sends vCPU 1 an SGI, waits in memory until it is acknowledged, and tells once what the redistributor of vCPU 1
 * says of it (x1: flag, x2: GICR_ISACTIVER0, x3: GICR_ISPENDR0); then again. vCPU 1 ends it when the flag is 0.
 */
guest_interrupts:
	mov	x9, #0x08000000
	mov	w1, #2
	str	w1, [x9]		/* GICD_CTLR.EnableGrp1 */
	mov	x10, #0x080d0000	/* SGI frame of vCPU 1 */
	str	w1, [x10, #0x100]	/* GICR_ISENABLER0 */
	adr	x2, 2f
	mov	x1, #1
	mov	x0, #0x0003
	movk	x0, #0xc400, lsl #16	/* CPU_ON */
	hvc	#0
	mov	x11, #0x40000000
	add	x11, x11, #0x1000
0:	str	wzr, [x11]
	mov	x1, #0x0002
	movk	x1, #0x0100, lsl #16	/* SGI 1 to vCPU 1 */
	msr	S3_0_C12_C11_5, x1	/* ICC_SGI1R_EL1 */
1:	ldr	w1, [x11]
	cbz	w1, 1b
	ldr	w2, [x10, #0x300]
	ldr	w3, [x10, #0x200]
	mov	x0, #0x0102
	movk	x0, #0xc600, lsl #16
	hvc	#0
	b	0b

2:	mov	x1, #0xff
	msr	S3_0_C4_C6_0, x1	/* ICC_PMR_EL1 */
	mov	x1, #1
	msr	S3_0_C12_C12_7, x1	/* ICC_IGRPEN1_EL1 */
	mov	x11, #0x40000000
	add	x11, x11, #0x1000
3:	isb
	mrs	x1, S3_0_C12_C12_0	/* ICC_IAR1_EL1 */
	cmp	x1, #1
	b.ne	3b
	str	w1, [x11]
4:	ldr	w2, [x11]
	cbnz	w2, 4b
	msr	S3_0_C12_C12_1, x1	/* ICC_EOIR1_EL1 */
	b	3b
guest_end:
