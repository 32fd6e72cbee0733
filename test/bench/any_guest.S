/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest without a kernel, for any hypervisor that boots an arm64 Image with a GICv3 at 0x08000000: it makes what is
 * measured exit, between markers, and powers off. With a second vCPU it measures interrupts between the two.
 */
#include "rows.h"

#define GICD   0x08000000
#define GICR_1 0x080c0000	/* of vCPU 1 */
#define DEVICE 0x09000018	/* PL011: UARTFR, which a read does not change */
#define FRESH  0x41000000	/* memory that nobody touched yet */

	.text
	.global _start
_start: /* header of an arm64 Image */
	b	primary
	.long	0
	.quad	0
	.quad	0x10000
	.quad	0xa
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	/* The instruction between the row's markers, SAMPLES times. Uses x19. */
	.macro	sample row, instruction:vararg
	mov	x19, #SAMPLES
1:	hint	#(64 + 2 * \row)
	\instruction
	hint	#(65 + 2 * \row)
	subs	x19, x19, #1
	b.ne	1b
	.endm

	.macro	call function
	ldr	x0, =\function
	hvc	#0
	.endm

primary:
	adr	x0, vectors
	msr	vbar_el1, x0
	isb
	ldr	x20, =GICD
	ldr	x21, =DEVICE
	/* One vCPU, or two? PSCI CPU_ON says. */
	mov	x1, #1
	adr	x2, second
	mov	x3, #0
	call	0xc4000003
	cbz	x0, sgi

	/* PSCI_VERSION: its answer differs from its number, so x0 is set anew, outside of the markers. */
	mov	x19, #SAMPLES
2:	ldr	x0, =0x84000000
	hint	#(64 + 2 * ROW_GUEST_CALL)
	hvc	#0
	hint	#(65 + 2 * ROW_GUEST_CALL)
	subs	x19, x19, #1
	b.ne	2b
	sample	ROW_GUEST_GIC, ldr w0, [x20, #4]
	sample	ROW_GUEST_DEVICE, ldr w0, [x21]
	ldr	x22, =FRESH
	mov	x19, #SAMPLES
7:	hint	#(64 + 2 * ROW_GUEST_PAGE)
	str	xzr, [x22]
	hint	#(65 + 2 * ROW_GUEST_PAGE)
	add	x22, x22, #4096
	subs	x19, x19, #1
	b.ne	7b
off:	call	0x84000008
	b	.

	/* vCPU 0: interrupt vCPU 1 and wait until it says so. x24: how often. */
sgi:	mov	w0, #0x12		/* ARE, EnableGrp1 */
	str	w0, [x20]
	adr	x23, told
3:	ldr	x0, [x23]		/* vCPU 1 is ready */
	cbz	x0, 3b
	mov	x24, #1
	ldr	x1, =(1 << 24 | 1 << 1)	/* INTID 1 to vCPU 1 */
4:	add	x24, x24, #1
	hint	#(64 + 2 * ROW_GUEST_SGI)
	msr	S3_0_C12_C11_5, x1	/* ICC_SGI1R_EL1 */
5:	yield			/* an emulator with one thread runs the other CPU */
	ldr	x0, [x23]
	cmp	x0, x24
	b.ne	5b
	hint	#(65 + 2 * ROW_GUEST_SGI)
	cmp	x24, #SAMPLES
	b.ls	4b
	b	off

second:
	ldr	x0, =GICR_1
	str	wzr, [x0, #0x14]	/* GICR_WAKER */
	add	x0, x0, #0x10000
	mov	w1, #-1
	str	w1, [x0, #0x80]		/* GICR_IGROUPR0 */
	mov	w1, #0xffff
	str	w1, [x0, #0x100]	/* GICR_ISENABLER0 */
	mov	x1, #0xff
	msr	S3_0_C4_C6_0, x1	/* ICC_PMR_EL1 */
	mov	x1, #1
	msr	S3_0_C12_C12_7, x1	/* ICC_IGRPEN1_EL1 */
	isb
	adr	x23, told
	mov	x24, #1
	str	x24, [x23]
6:	yield
	mrs	x0, S3_0_C12_C12_0	/* ICC_IAR1_EL1; masked, so polled */
	cmp	w0, #1020
	b.hs	6b
	msr	S3_0_C12_C12_1, x0	/* ICC_EOIR1_EL1 */
	add	x24, x24, #1
	str	x24, [x23]
	b	6b
	.ltorg

	/* Any exception: what the machine lacks is not measured, and what comes after it neither. */
	.balign	2048
vectors:
	.rept	16
	.balign	128
	b	off
	.endr

	.balign	4096
told:	.quad	0
	.balign	4096
