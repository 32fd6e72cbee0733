/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the core's place: one small experiment a run, picked by the manifest's word MAN_HOST_ENTRY. Each ends in
 * a panic, whose text is the verdict that ../run expects.
 */
#include "../../../engine/arch/arch.h"

enum experiment {
	GOOD_REGISTERS,
	GOOD_VECTORS,
	GOOD_CONTROLS,
	GOOD_LOCK,
	GOOD_PAGE_ZERO,
	GOOD_VMID,
	BAD_STACK_OVERFLOW,
	BAD_WRITE_TEXT,
	BAD_WRITE_CONSTANTS,
	BAD_EXECUTE_DATA,
	BAD_UNMAPPED,
	BAD_UNDEFINED,
};

enum { CPUS = 4, TURNS = 100000, PAUSE = 300, WORDS = 512, FP_WORDS = 66 };

struct vm vms[NIE_MAX_VMS];
struct vcpu vcpus[NIE_MAX_VMS * NIE_MAX_VCPUS];
struct last lasts[NIE_MAX_VMS];
struct cpu cpus[NIE_MAX_CPUS];
struct config config;

void el1_start(void);
void el1_vectors(void);

static uint64_t pages[3][WORDS] __attribute__((aligned(4096)));
static volatile uint32_t counter;
static volatile uint32_t done;
static volatile uint32_t here[CPUS];

static void expect(const char *what, uint64_t got, uint64_t wanted)
{
	if (got != wanted)
		panic_numbers(what, got, wanted);
}

static uint32_t experiment(void)
{
	return (uint32_t)manifest_read(MAN_HOST_ENTRY);
}

static struct pfn page(uint32_t i)
{
	return (struct pfn){ (uint64_t)pages[i] >> NIE_PAGE_SHIFT };
}

/* Controls of extensions that the engine hides: all traps on, nothing enabled. */
static void controls(void)
{
	expect("HCRX_EL2", mrs("s3_4_c1_c2_2"), 0);
	expect("HFGRTR_EL2", mrs("s3_4_c1_c1_4"), 0);
	expect("HFGWTR_EL2", mrs("s3_4_c1_c1_5"), 0);
	expect("HFGITR_EL2", mrs("s3_4_c1_c1_6"), 0);
	expect("HDFGRTR_EL2", mrs("s3_4_c3_c1_4"), 0);
	expect("HDFGWTR_EL2", mrs("s3_4_c3_c1_5"), 0);
	expect("SVCR", mrs("s3_3_c4_c2_2"), 0);
	expect("CNTHP_CTL_EL2", mrs("cnthp_ctl_el2") & 1, 0);
	expect("ICH_LR0_EL2", mrs("ich_lr0_el2"), 0);
	expect("OSLSR_EL1.OSLK", mrs("oslsr_el1") >> 1 & 1, 0);
	expect("HCR_EL2.E2H", mrs("hcr_el2") >> 34 & 1, 0);
	expect("SCTLR_EL2", mrs("sctlr_el2"), SCTLR_ON);
	expect("CPU in TPIDR_EL2", mrs("tpidr_el2"), (uint64_t)&cpus[0]);
	panic("experiment passed");
}

/* All begin together: one that came late would have the lock to itself. */
static void take_turns(uint32_t me)
{
	here[me] = 1;
	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		while (here[cpu] == 0)
			__asm__ volatile("yield");
	}
	for (uint32_t i = 0; i < TURNS; i++) {
		engine_lock();
		uint32_t before = counter;

		/* Long enough that another CPU would come between. */
		for (uint32_t j = 0; j < PAUSE; j++)
			__asm__ volatile("nop");
		counter = before + 1;
		engine_unlock();
	}
	engine_lock();
	done = done + 1;
	engine_unlock();
}

static void lock(void)
{
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		expect("CPU_ON", firmware_cpu_on(cpu), 0);
	take_turns(0);
	while (done != CPUS)
		__asm__ volatile("yield");
	expect("turns under the lock", counter, CPUS * TURNS);
	panic("experiment passed");
}

static void zero(void)
{
	for (uint32_t p = 0; p < 3; p++) {
		for (uint32_t i = 0; i < WORDS; i++)
			page_write(page(p), i, ~0ULL);
	}
	page_zero(page(1));
	page_clean(page(1));
	for (uint32_t i = 0; i < WORDS; i++) {
		expect("page before", page_read(page(0), i), ~0ULL);
		expect("page zeroed", page_read(page(1), i), 0);
		expect("page after", page_read(page(2), i), ~0ULL);
	}
	panic("experiment passed");
}

static void vmid(void)
{
	uint64_t vttbr = 7ULL << 48 | (uint64_t)pages[0];

	sysreg_write(REG_VTTBR_EL2, vttbr);
	tlbi_vmid(3);
	expect("VTTBR_EL2 after another VMID", sysreg_read(REG_VTTBR_EL2), vttbr);
	tlbi_vmid_local(7);
	expect("VTTBR_EL2 after its VMID", sysreg_read(REG_VTTBR_EL2), vttbr);
	panic("experiment passed");
}

/* Not a tail call, and the frame is used after it: the compiler cannot make it a loop. */
static __attribute__((noinline)) uint64_t recurse(uint64_t n)
{
	volatile uint64_t frame[64];

	frame[n % 64] = n;
	return n == ~0ULL ? 0 : recurse(n + 1) + frame[n % 64];
}

static void attack(uint64_t address)
{
	switch (experiment()) {
	case BAD_STACK_OVERFLOW:
		expect("depth", recurse(0), 0);
		break;
	case BAD_WRITE_TEXT:
		*(volatile uint8_t *)image_start = 0;
		break;
	case BAD_WRITE_CONSTANTS:
		*(volatile uint8_t *)rodata_start = 0;
		break;
	case BAD_EXECUTE_DATA:
		__asm__ volatile("blr %0" : : "r"(pages[0]) : "x30", "memory");
		break;
	case BAD_UNMAPPED:
		expect("a word that is not mapped", *(volatile uint32_t *)address, 0);
		break;
	default:
		__asm__ volatile("udf #0");
	}
	panic("the attack went unnoticed");
}

uint32_t boot(void)
{
	switch (experiment()) {
	case GOOD_REGISTERS:
	case GOOD_VECTORS:
		return BOOT_OK;
	case GOOD_CONTROLS:
		controls();
		break;
	case GOOD_LOCK:
		lock();
		break;
	case GOOD_PAGE_ZERO:
		zero();
		break;
	case GOOD_VMID:
		vmid();
		break;
	default:
		attack(manifest_read(MAN_HOST_DTB));
	}
	return BOOT_OK;
}

void cpu_start(uint32_t cpu)
{
	if (cpu != 0) {
		take_turns(cpu);
		for (;;)
			__asm__ volatile("wfe");
	}
	for (uint32_t i = 0; i < 31; i++)
		cpus[cpu].x[i] = 0;
	sysreg_write(REG_SCTLR_EL1, 0x30d00800);
	sysreg_write(REG_CPACR_EL1, 3 << 20);
	sysreg_write(REG_SPSR_EL2, 0x3c5);
	sysreg_write(REG_ELR_EL2,
		     (uint64_t)(experiment() == GOOD_VECTORS ? el1_vectors : el1_start));
}

/* What is saved before quick() and loaded after it; the others must not leave the CPU. */
static bool quick_has(uint64_t i)
{
	return i < 20 || i > 28;
}

/* el1_start's first HVC: it wrote 3 n + 7 to each register. */
bool quick(uint32_t cpu, uint32_t kind)
{
	expect("kind of trap", kind, TRAP_SYNC);
	if ((sysreg_read(REG_ESR_EL2) & 0xffff) != 3)
		return false;
	for (uint64_t i = 0; i < 31; i++) {
		if (quick_has(i))
			expect("register saved for quick", cpus[cpu].x[i], 3 * i + 7);
		cpus[cpu].x[i] = 5 * i + 1;
	}
	return true;
}

/* The second finds what quick() left. Next it adds n + 1 to what is loaded here. */
static void saved(uint32_t cpu)
{
	for (uint64_t i = 0; i < 31; i++) {
		expect("general register saved", cpus[cpu].x[i],
		       quick_has(i) ? 5 * i + 1 : 3 * i + 7);
		cpus[cpu].x[i] = 0x8765432100000000 + 1000 * i;
	}
}

static void loaded(uint32_t cpu)
{
	for (uint64_t i = 0; i < 31; i++)
		expect("general register loaded", cpus[cpu].x[i],
		       0x8765432100000000 + 1001 * i + 1);
	panic("experiment passed");
}

/* el1_vectors: each byte of V<n> is n + 1. Then what is loaded must be what is saved. */
static void vectors_saved(void)
{
	fp_save(page(0), 2);
	for (uint64_t i = 0; i < 64; i++)
		expect("vector saved", pages[0][2 + i], 0x0101010101010101 * (i / 2 + 1));
	expect("FPCR saved", pages[0][66], 1 << 24);
	expect("FPSR saved", pages[0][67], 1 << 27);
	for (uint64_t i = 0; i < FP_WORDS - 2; i++)
		pages[1][i] = 0x1234567890abcdef * (i + 1);
	pages[1][64] = 1 << 22;
	pages[1][65] = 1;
	fp_load(page(1), 0);
	fp_save(page(2), 0);
	for (uint64_t i = 0; i < FP_WORDS; i++)
		expect("vector loaded", pages[2][i], pages[1][i]);
	fp_zero();
	fp_save(page(2), 0);
	for (uint64_t i = 0; i < FP_WORDS; i++)
		expect("vector zeroed", pages[2][i], 0);
	expect("word after the 66", pages[2][FP_WORDS], 0);
	panic("experiment passed");
}

uint32_t trap(uint32_t cpu, uint32_t kind)
{
	expect("kind of trap", kind, TRAP_SYNC);
	expect("CPU", cpu, 0);
	expect("exception class", sysreg_read(REG_ESR_EL2) >> 26, 0x16); /* HVC */
	switch (sysreg_read(REG_ESR_EL2) & 0xffff) {
	case 0:
		saved(cpu);
		break;
	case 1:
		loaded(cpu);
		break;
	default:
		vectors_saved();
	}
	return TRAP_RESUME;
}
