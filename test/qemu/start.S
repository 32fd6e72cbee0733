/* SPDX-License-Identifier: Apache-2.0 */
/* The hostile host's first instructions, vectors, and accesses that may fault. */

	.section .head, "ax"
	.global image_start
image_start: /* header of an arm64 Image */
	b	primary
	.long	0
	.quad	0
	.quad	image_size
	.quad	0xa
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0
	.global test_name
test_name: /* test/qemu/run writes the test's name after the mark */
	.ascii	"nie-test-name:"
	.skip	114

	.text
	/* x19 = CPU: its stack of 16 KiB and its struct percpu (64 bytes). */
	.macro	cpu_setup
	adrp	x1, stacks
	add	x1, x1, :lo12:stacks
	add	x2, x19, #1
	add	x1, x1, x2, lsl #14
	mov	sp, x1
	adrp	x1, percpu
	add	x1, x1, :lo12:percpu
	add	x1, x1, x19, lsl #6
	msr	tpidr_el1, x1
	adrp	x1, vectors
	add	x1, x1, :lo12:vectors
	msr	vbar_el1, x1
	isb
	.endm

primary:
	adrp	x0, bss_start
	adrp	x1, bss_end
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b
	mov	x19, #0
	cpu_setup
	bl	mmu_build
	bl	mmu_on
	bl	host_main
	b	.

	.global secondary
secondary: /* x0 = CPU */
	mov	x19, x0
	cpu_setup
	bl	mmu_on
	mov	x0, x19
	bl	host_secondary
	b	.

mmu_on:
	ldr	x0, =0xff00
	msr	mair_el1, x0
	/* T0SZ 25, write-back inner shareable walks, 4 KiB, no TTBR1, 40 bits */
	ldr	x0, =(25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2 << 32)
	msr	tcr_el1, x0
	adrp	x0, mmu_root
	msr	ttbr0_el1, x0
	isb
	tlbi	vmalle1
	dsb	ish
	isb
	ldr	x0, =0x30d01805
	msr	sctlr_el1, x0
	isb
	ret

	.macro	vector n
	.balign	128
	stp	x0, x1, [sp, #-16]!
	mov	x0, #\n
	b	exception
	.endm

	.balign	2048
vectors:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vector	\n
	.endr

	/* struct percpu: where to resume after an expected fault, then ESR and FAR. */
exception:
	mrs	x1, tpidr_el1
	cmp	x0, #4
	b.ne	1f
	ldr	x0, [x1]
	cbz	x0, 1f
	msr	elr_el1, x0
	mrs	x0, esr_el1
	str	x0, [x1, #8]
	mrs	x0, far_el1
	str	x0, [x1, #16]
	ldp	x0, x1, [sp], #16
	eret
1:	mrs	x1, esr_el1
	mrs	x2, elr_el1
	mrs	x3, far_el1
	b	host_unexpected

	/* x9 = struct percpu, faults go on at `to`. */
	.macro	expect_fault to
	mrs	x9, tpidr_el1
	adr	x10, \to
	str	xzr, [x9, #8]
	str	x10, [x9]
	dsb	sy
	.endm
	/* Returns ESR_EL1 of the fault, 0 when there was none. */
	.macro	expect_done
	dsb	sy
	isb
	str	xzr, [x9]
	ldr	x0, [x9, #8]
	ret
	.endm

	.global try_load
try_load: /* x0 = address, x1 = where its value goes */
	expect_fault 1f
	ldr	x2, [x0]
	str	x2, [x1]
1:	expect_done

	.global try_store
try_store: /* x0 = address, x1 = value */
	expect_fault 1f
	str	x1, [x0]
1:	expect_done

	.global try_execute
try_execute: /* x0 = address of a RET */
	expect_fault 1f
	mov	x11, x30
	blr	x0
1:	mov	x30, x11
	expect_done

	.global try_call
try_call: /* x0 = address of code that ends with RET, x1 = its x0, and where that goes */
	mov	x12, x30
	mov	x13, x1
	mov	x11, x0
	ldr	x0, [x1]
	expect_fault 1f
	blr	x11
	str	x0, [x13]
1:	mov	x30, x12
	expect_done

	/* x0 = 0: put a pattern in V0-V31; 1: the OR of all of them. */
	.global host_vectors
host_vectors:
	mov	x1, #3 << 20
	msr	cpacr_el1, x1
	isb
	cbnz	x0, 1f
	mov	x1, #-1
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	dup	v\n\().2d, x1
	.endr
	ret
1:
	.irp	n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	orr	v0.16b, v0.16b, v\n\().16b
	.endr
	mov	x0, v0.d[0]
	mov	x1, v0.d[1]
	orr	x0, x0, x1
	ret
