/* SPDX-License-Identifier: Apache-2.0 */
/* One MSR or MRS that was written into memory just before, then RET. x0 = its address, x1 = x9. */

	.macro	fetch_anew
	dc	cvau, x0
	dsb	ish
	ic	ivau, x0
	dsb	ish
	isb
	.endm

	.section .guest, "ax"
	.global guest_register
guest_register: /* the vectors of entry.S leave ESR_EL1 in x17 and go on at x16 */
	fetch_anew
	adr	x16, 1f
	mov	x17, #0
	mov	x9, x1
	mov	x11, x30
	blr	x0
1:	mov	x30, x11
	cmp	x17, #0
	csel	x0, x9, xzr, eq
	ret

	.text
	.global host_register
host_register: /* the vectors of start.S go on where the first word of this CPU's percpu says */
	fetch_anew
	mrs	x12, tpidr_el1
	adr	x10, 1f
	str	xzr, [x12, #8]
	str	x10, [x12]
	mov	x9, x1
	mov	x11, x30
	blr	x0
1:	mov	x30, x11
	isb
	str	xzr, [x12]
	ldr	x10, [x12, #8]
	cmp	x10, #0
	csel	x0, x9, xzr, eq
	ret
