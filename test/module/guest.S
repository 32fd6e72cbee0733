/* SPDX-License-Identifier: Apache-2.0 */
/* Guests of a few instructions, copied to the VM's RAM: position independent, MMU off. */
	.section .rodata
	.balign 4
	.global guest_spin, guest_talk, guest_devices, guest_end

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
guest_end:
