/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only floating-point instructions of the engine. x0 = page number, w1 = first word of 66.
 * A write to V<n> zeroes the rest of Z<n> [ArmARM, B1.2.2], so nothing longer survives fp_load.
 */
	.macro	place
	lsl	x0, x0, #12
	add	x0, x0, w1, uxtw #3
	.endm

	.macro	all_pairs op
	\op	q0, q1, [x0]
	\op	q2, q3, [x0, #32]
	\op	q4, q5, [x0, #64]
	\op	q6, q7, [x0, #96]
	\op	q8, q9, [x0, #128]
	\op	q10, q11, [x0, #160]
	\op	q12, q13, [x0, #192]
	\op	q14, q15, [x0, #224]
	\op	q16, q17, [x0, #256]
	\op	q18, q19, [x0, #288]
	\op	q20, q21, [x0, #320]
	\op	q22, q23, [x0, #352]
	\op	q24, q25, [x0, #384]
	\op	q26, q27, [x0, #416]
	\op	q28, q29, [x0, #448]
	\op	q30, q31, [x0, #480]
	.endm

	.text
	.global fp_save
fp_save:
	place
	all_pairs stp
	mrs	x2, fpcr
	mrs	x3, fpsr
	add	x0, x0, #512
	stp	x2, x3, [x0]
	ret

	.global fp_load
fp_load:
	place
	all_pairs ldp
	add	x0, x0, #512
	ldp	x2, x3, [x0]
	msr	fpcr, x2
	msr	fpsr, x3
	ret

	.global fp_zero
fp_zero:
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	movi	v\n\().2d, #0
	.endr
	msr	fpcr, xzr
	msr	fpsr, xzr
	ret
