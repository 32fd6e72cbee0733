/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM that is out to do harm: it writes instructions into its memory and runs them. When they wreck the VM itself (its
 * vectors, its stack, an endless loop) it is of no more use, until the host ends it and builds another.
 */
#include "fuzz.h"

#define GUEST __attribute__((section(".guest"), noinline))

enum { INSTRUCTIONS = 512, JUMPS = 48, RET = 0xd65f03c0 };
uint64_t risky_jump(uint64_t code, const uint64_t *registers);
extern const char risky_vectors[];

static GUEST uint64_t draw(uint64_t *random)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return *random >> 32;
}

/* Instructions of the classes that reach furthest; by their top bits [ArmARM, C4.1]. */
static GUEST uint32_t instruction(uint64_t *random)
{
	uint32_t any = (uint32_t)draw(random);

	switch (draw(random) % 12) {
	case 0:
	case 1:
		return 0xd5000000 | (any & 0x3fffff); /* MSR, MRS, SYS, hints, barriers */
	case 2:
		return 0xd5380000 | (any & 0x7ffff); /* MRS of EL1 and above */
	case 3:
		return 0xd5080000 | (any & 0x7ffff); /* TLBI, DC, IC, AT */
	case 4:
		return 0xd4000002 | (any & 1) | (any & 0x1fffe0); /* HVC, SMC */
	case 5:
	case 6:
		return 0x39000000 | (any & 0xc4fffcff); /* loads, stores; from x0-x7 */
	case 7:
		return 0x38000000 | (any & 0xc7ffff1f); /* unscaled, atomic, register offset */
	case 8:
		return 0x08000000 | (any & 0xc0ffff1f); /* exclusive, ordered, pairs of CAS */
	case 9:
		return 0x0c000000 | (any & 0x41ffff1f); /* vectors */
	case 10:
		return 0x28000000 | (any & 0xc7ffff1f); /* pairs */
	default:
		return any;
	}
}

/* An address that is somebody's, at an edge of a page, or unaligned; or a number of a call. */
static GUEST uint64_t value(uint64_t *random)
{
	uint64_t any = draw(random);

	switch (draw(random) % 8) {
	case 0:
		return WINDOW + (CHECKED + any % 64) * 4096 + any % 16 * 512;
	case 1:
		return WINDOW + (any % 2048) * 4096 - any % 16;
	case 2:
		return SHARED + any % 16 * 4096 - any % 9;
	case 3:
		return 0x08000000 + any % 0x2000000;
	case 4:
		return 0x40000000 + any % 0x8000000;
	case 5:
		return 0x84000000 | (any & 0x4000001f);
	case 6:
		return 0xc6000000 | (any & 0x10f);
	default:
		return any << (any & 31);
	}
}

GUEST void guest_hostile(uint64_t seed)
{
	volatile uint32_t *code = (volatile uint32_t *)DATA;
	uint64_t *registers = (uint64_t *)(DATA + 2 * 4096);
	uint64_t random = seed * 0x9e3779b97f4a7c15ULL;

	__asm__ volatile("msr vbar_el1, %0\n\tisb" : : "r"(risky_vectors));
	for (;;) {
		for (uint32_t i = 0; i < INSTRUCTIONS; i++)
			code[i] = instruction(&random);
		code[INSTRUCTIONS] = RET;
		__asm__ volatile("dsb ish\n\tic iallu\n\tdsb ish\n\tisb" : : : "memory");
		for (uint32_t i = 0; i < JUMPS; i++) {
			for (uint32_t r = 0; r < 8; r++)
				registers[r] = value(&random);
			risky_jump(DATA + draw(&random) % INSTRUCTIONS * 4, registers);
		}
	}
}
