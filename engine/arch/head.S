/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first instructions on every CPU. Until mmu_on, memory is accessed uncached, so another CPU
 * than the first touches none before [ArmARM, D8.2.10].
 */
#include "layout.h"

	.section .head, "ax"
	.global image_start
image_start: /* header of an arm64 Image [Linux, Documentation/arch/arm64/booting.rst] */
	b	primary
	.long	0
	.quad	0		/* text_offset: loaded at a multiple of 2 MiB */
	.quad	image_size	/* with bss */
	.quad	0xa		/* little-endian, 4 KiB pages, anywhere in memory */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.long	0

	.section .manifest, "a"
	.balign	4096
	.global manifest
manifest: /* tools/pack-image finds this page by its first bytes and fills it in */
	.ascii	"nie-man0"
	.skip	4096 - 8

	.section .stacks, "aw", %nobits
	.balign	4096
	.global stacks
stacks: /* of each CPU: a page that is not mapped, then its stack */
	.skip	STACK_STRIDE * STACKS

	.text
/* x0 = CPU: its stack, less 16 bytes for CPU_SLOT. Clobbers x1, x2. */
	.macro	stack_of_cpu
	adrp	x1, stacks
	mov	x2, #STACK_STRIDE
	madd	x1, x0, x2, x1
	add	x1, x1, #STACK_STRIDE
	sub	sp, x1, #16
	.endm

primary:
	msr	daifset, #15
	mrs	x3, CurrentEL
	mov	x0, #0
	stack_of_cpu
	cmp	x3, #2 << 2
	b.ne	start_wrong_el
	bl	el2_minimum
	/* The loader need not clear what the file does not hold. boot() fills the granule table. */
	adrp	x0, bss_start
	adrp	x1, granules
	add	x1, x1, :lo12:granules
1:	stp	xzr, xzr, [x0], #16
	cmp	x0, x1
	b.lo	1b
	bl	start_uncached
	/*
	 * Clean lines of before, read by whoever loaded the image, would hide what was just written
	 * past the cache. None is dirty: the loader cleaned the image [booting.rst].
	 */
	adrp	x0, data_start
	adrp	x1, granules
	add	x1, x1, :lo12:granules
	mrs	x2, ctr_el0
	ubfx	x2, x2, #16, #4		/* DminLine: log2 of words */
	mov	x3, #4
	lsl	x2, x3, x2
2:	dc	ivac, x0
	add	x0, x0, x2
	cmp	x0, x1
	b.lo	2b
	dsb	sy
	bl	mmu_on
	mov	x0, #0
	str	x0, [sp, #CPU_SLOT]
	bl	start_primary
	b	resume

/* Entered by PSCI CPU_ON: x0 = the CPU, as firmware_cpu_on passed it. */
	.global secondary
secondary:
	msr	daifset, #15
	mov	x19, x0
	stack_of_cpu
	bl	el2_minimum
	bl	mmu_on
	mov	x0, x19
	str	x0, [sp, #CPU_SLOT]
	bl	start_secondary
	b	resume

/* E2H = 0 and no MMU, so that the registers below have the meaning that is assumed. */
el2_minimum:
	mov	x0, #1 << 31		/* RW: EL1 is AArch64 */
	msr	hcr_el2, x0
	isb
	ldr	x0, =SCTLR_OFF
	msr	sctlr_el2, x0
	adrp	x0, vectors
	add	x0, x0, :lo12:vectors
	msr	vbar_el2, x0
	msr	tpidr_el2, xzr
	isb
	ret

/* Translation on, with the tables of mmu.c. Nothing cached by firmware is used, for any VMID. */
mmu_on:
	ldr	x0, =MAIR_EL2_VALUE
	msr	mair_el2, x0
	ldr	x0, =TCR_EL2_VALUE
	msr	tcr_el2, x0
	adrp	x0, mmu_root
	msr	ttbr0_el2, x0
	isb
	tlbi	alle2
	tlbi	alle1
	ic	iallu
	dsb	nsh
	isb
	ldr	x0, =SCTLR_ON
	msr	sctlr_el2, x0
	isb
	ret
	.ltorg
