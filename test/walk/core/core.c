/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the core's place: random stage 2 tables, and what AT instructions say of them. A line a table: the IPA, the descriptor on
 * its path at levels 1, 2 and 3, and PAR_EL1 of a read and of a write; ../check.ml walks the same tables as model/Walk.v says.
 */
#include "../../../engine/arch/arch.h"
#include "../../../engine/core/stage2.h"
#include "../../../engine/core/world.h"

struct vm vms[NIE_MAX_VMS];
struct vcpu vcpus[NIE_MAX_VMS * NIE_MAX_VCPUS];
struct last lasts[NIE_MAX_VMS];
struct cpu cpus[NIE_MAX_CPUS];
struct config config;

enum { VMID = 5 };
enum descriptor_bits {
	TABLE_IGNORED = 0x3ffULL << 2 | 0x7fULL << 52, /* [ArmARM, D8.3.1] */
	/* MemAttr, SH; DBM, XN, software's. Not Contiguous: two entries of a run must agree. */
	LEAF_ATTRIBUTES = 0xfULL << 2 | 3ULL << 8 | 1ULL << 51 | 3ULL << 53 | 0xfULL << 55,
	/* AF and S2AP stay set: QEMU 10.0 stops at an AT instruction that stage 2 refuses for another reason than translation. */
	LEAF_ALLOWED = 1ULL << 10 | 3ULL << 6,
	ADDRESS = 0xfffffff000ULL, /* below 2^40: VTCR_EL2.PS */
};

static uint64_t tables[3][512] __attribute__((aligned(4096)));
static uint64_t state;

/* xorshift64* */
static uint64_t next(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dULL;
}

static uint64_t leaf(uint32_t level, uint64_t attributes)
{
	uint64_t output = next() & ADDRESS & ~(((1ULL << (9 * (3 - level))) << 12) - 1);

	return output | attributes | (level == 3 ? DESC_PAGE : DESC_BLOCK);
}

static uint64_t descriptor(uint32_t level)
{
	switch (next() % 10) {
	case 0:
		return 0;
	case 1:
		return next() & ~1ULL;
	case 2:
		return leaf(level, (next() & LEAF_ATTRIBUTES) | LEAF_ALLOWED);
	case 3:
		/* Reserved at level 3 [ArmARM, D8.3.1.2]. */
		return leaf(level, DESC_NORMAL) & ~(level == 3 ? 2ULL : 0);
	case 4:
		return leaf(level, DESC_NORMAL | (next() & (DESC_XN | 1ULL << 55)));
	default:
		if (level == 3)
			return leaf(level, DESC_NORMAL);
		return (uint64_t)tables[level] | DESC_TABLE | (next() & TABLE_IGNORED);
	}
}

static uint64_t probe(uint64_t ipa, bool write)
{
	if (write)
		__asm__ volatile("at s12e1w, %0" : : "r"(ipa) : "memory");
	else
		__asm__ volatile("at s12e1r, %0" : : "r"(ipa) : "memory");
	isb();
	return mrs("par_el1");
}

static void number(uint64_t value)
{
	uart_hex(value);
	uart_text(" ");
}

static void one_table(void)
{
	uint64_t ipa = next() & ((1ULL << NIE_IPA_BITS) - 1) & ~0xfffULL;
	uint64_t *word[3];

	for (uint32_t level = 1; level <= 3; level++) {
		word[level - 1] = &tables[level - 1][ipa >> (12 + 9 * (3 - level)) & 511];
		*word[level - 1] = descriptor(level);
	}
	dsb_ish();
	__asm__ volatile("tlbi vmalls12e1is" : : : "memory");
	dsb_ish();
	isb();
	number(ipa);
	for (uint32_t i = 0; i < 3; i++)
		number(*word[i]);
	number(probe(ipa, false));
	number(probe(ipa, true));
	uart_text("\n");
	for (uint32_t i = 0; i < 3; i++)
		*word[i] = 0;
}

uint32_t boot(void)
{
	uint64_t count = manifest_read(MAN_HOST_ENTRY);

	state = manifest_read(MAN_HOST_DTB);
	uart_init();
	sysreg_write(REG_SCTLR_EL1, SCTLR_EL1_RESET);
	sysreg_write(REG_VTCR_EL2, VTCR_BOTH);
	sysreg_write(REG_HCR_EL2, HCR_GUEST);
	sysreg_write(REG_VTTBR_EL2, (uint64_t)VMID << 48 | (uint64_t)tables[0]);
	isb();
	uart_text("root ");
	number((uint64_t)tables[0]);
	uart_text("\n");
	for (uint64_t i = 0; i < count; i++)
		one_table();
	panic("experiment passed");
}

void cpu_start(uint32_t cpu)
{
	panic_numbers("a CPU starts", cpu, 0);
}

bool quick(uint32_t cpu, uint32_t kind)
{
	panic_numbers("a trap", cpu, kind);
}

uint32_t trap(uint32_t cpu, uint32_t kind)
{
	panic_numbers("a trap", cpu, kind);
}
