/* SPDX-License-Identifier: Apache-2.0 */
/* What runs at EL1 in place of the host: known values in registers, then HVC. */
	.macro	each_register step
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30
	\step	\n
	.endr
	.endm

	.macro	write n
	mov	x\n, #3 * \n + 7
	.endm

	.macro	mark n
	add	x\n, x\n, #\n + 1
	.endm

	.text
	.global el1_start
el1_start:
	each_register write
	hvc	#3
	hvc	#0
	each_register mark
	hvc	#1

	.global el1_vectors
el1_vectors:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	movi	v\n\().16b, #\n + 1
	.endr
	mov	x0, #1 << 24		/* FPCR.FZ */
	msr	fpcr, x0
	mov	x0, #1 << 27		/* FPSR.QC */
	msr	fpsr, x0
	hvc	#2
