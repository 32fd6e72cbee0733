/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"
#include "vm.h"

struct percpu {
	uint64_t resume, esr, far, unused[5];
} percpu[CPUS];
_Static_assert(sizeof(struct percpu) == 64, "start.S");

char stacks[CPUS][16384] __attribute__((aligned(4096)));
uint64_t mmu_root[512] __attribute__((aligned(4096)));
extern const char test_name[];
extern const int32_t tests_start[], tests_end[];

static volatile struct {
	uint64_t (*f)(uint64_t);
	uint64_t arg, result;
	uint64_t busy, up;
} work[CPUS];
static uint64_t pool = POOL;

/* Identity: devices in the first GiB, RAM in the next three. */
void mmu_build(void)
{
	for (uint64_t i = 0; i < 4; i++)
		mmu_root[i] = i << 30 | 1 << 10 | (i == 0 ? 3ULL << 53 : 3 << 8 | 1 << 2) | 1;
}

uint64_t load(uint64_t address)
{
	return *(volatile uint64_t *)address;
}

void store(uint64_t address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
}

/* The compiler copies structs with it. */
void *memcpy(void *to, const void *from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((volatile char *)to)[i] = ((const char *)from)[i];
	return to;
}

static volatile uint32_t *word(uint64_t address)
{
	return (volatile uint32_t *)address;
}

void print(const char *text)
{
	for (; *text != 0; text++)
		*word(UART) = (uint8_t)*text;
}

void print_hex(uint64_t value)
{
	print("0x");
	for (int32_t shift = 60; shift >= 0; shift -= 4) {
		if (shift == 0 || value >> shift != 0)
			*word(UART) = (uint8_t)"0123456789abcdef"[value >> shift & 15];
	}
}

void fail(const char *file, int line, const char *text, uint64_t is, uint64_t want)
{
	print("\n");
	print(file);
	print(":");
	print_hex((uint64_t)line);
	print(": ");
	print(text);
	print(" is ");
	print_hex(is);
	print(", not ");
	print_hex(want);
	print("\nverdict: failed\n");
	for (;;)
		__asm__ volatile("wfi");
}

void host_unexpected(uint64_t vector, uint64_t esr, uint64_t elr, uint64_t far)
{
	print("\nexception ");
	print_hex(vector);
	print(" at ");
	print_hex(elr);
	print(" far ");
	print_hex(far);
	fail(__FILE__, __LINE__, "ESR_EL1", esr, 0);
}

struct answer hvc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3, uint64_t x4,
		  uint64_t x5, uint64_t x6)
{
	register uint64_t r0 __asm__("x0") = function;
	register uint64_t r1 __asm__("x1") = x1;
	register uint64_t r2 __asm__("x2") = x2;
	register uint64_t r3 __asm__("x3") = x3;
	register uint64_t r4 __asm__("x4") = x4;
	register uint64_t r5 __asm__("x5") = x5;
	register uint64_t r6 __asm__("x6") = x6;

	__asm__ volatile("hvc #0"
			 : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6)
			 :
			 : "memory");
	return (struct answer){ { r0, r1, r2, r3, r4, r5, r6 } };
}

uint64_t smc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	register uint64_t r0 __asm__("x0") = function;
	register uint64_t r1 __asm__("x1") = x1;
	register uint64_t r2 __asm__("x2") = x2;
	register uint64_t r3 __asm__("x3") = x3;

	__asm__ volatile("smc #0" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");
	return r0;
}

void check_forbidden(uint64_t address)
{
	uint64_t value = 0x900d, esr = try_load(address, &value);

	CHECK_EQ(esr >> 26, ESR_DATA_ABORT);
	CHECK_EQ(esr & 63, FSC_PERMISSION_3);
	CHECK_EQ(value, 0x900d);
	esr = try_store(address, 0xbad);
	CHECK_EQ(esr >> 26, ESR_DATA_ABORT);
	CHECK_EQ(esr & 63, FSC_PERMISSION_3);
}

uint64_t pages(uint64_t count, uint64_t align)
{
	uint64_t at = (pool + align - 1) / align * align;

	pool = at + count * PAGE;
	CHECK(pool <= (uint64_t)RAM + RAM_BYTES);
	return at;
}

bool is_zero(uint64_t address)
{
	uint64_t any = 0;

	for (uint64_t i = 0; i < PAGE; i += 8)
		any |= load(address + i);
	return any == 0;
}

static uint64_t ticks(void)
{
	uint64_t value;

	__asm__ volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(value));
	return value;
}

static uint64_t ticks_of(uint64_t us)
{
	uint64_t frequency;

	__asm__("mrs %0, cntfrq_el0" : "=r"(frequency));
	return us * frequency / 1000000;
}

void delay(uint64_t us)
{
	uint64_t start = ticks();

	while (ticks() - start < ticks_of(us))
		;
}

void alarm(uint64_t us)
{
	__asm__ volatile("msr cntp_tval_el0, %0\n\tmsr cntp_ctl_el0, %1\n\tisb"
			 :
			 : "r"(ticks_of(us)), "r"((uint64_t)(us != 0)));
}

/* Group 1, all software interrupts, timers 27 and 30 and maintenance 25 enabled, highest priority. */
static void gic_cpu(uint32_t cpu)
{
	uint64_t rd = GICR + 0x20000 * (uint64_t)cpu;

	*word(rd + 0x14) = 0;
	while ((*word(rd + 0x14) & 4) != 0)
		;
	*word(rd + 0x10080) = 0xffffffff;
	*word(rd + 0x10100) = 0xffff | 1 << 25 | 1 << 27 | 1 << 30;
	__asm__ volatile("msr S3_0_C4_C6_0, %0\n\t" /* ICC_PMR_EL1 */
			 "msr S3_0_C12_C12_7, %1\n\t" /* ICC_IGRPEN1_EL1 */
			 "isb"
			 :
			 : "r"(0xffULL), "r"(1ULL));
}

void kick(uint32_t cpu)
{
	__asm__ volatile("dsb sy\n\tmsr S3_0_C12_C11_5, %0\n\tisb"
			 :
			 : "r"(1ULL << 24 | 1ULL << cpu));
}

void acknowledge(void)
{
	uint64_t interrupt;

	for (uint32_t i = 0; i < 8; i++) {
		__asm__ volatile("mrs %0, S3_0_C12_C12_0\n\tdsb sy" : "=r"(interrupt) : : "memory");
		if ((interrupt & 0xffffff) >= 1020)
			return;
		if (interrupt == 30)
			alarm(0);
		__asm__ volatile("msr S3_0_C12_C12_1, %0\n\tisb" : : "r"(interrupt) : "memory");
	}
}

void host_secondary(uint64_t cpu)
{
	gic_cpu((uint32_t)cpu);
	work[cpu].up = 1;
	for (;;) {
		while (work[cpu].busy == 0)
			__asm__ volatile("yield");
		__asm__ volatile("dmb ish" : : : "memory");
		work[cpu].result = work[cpu].f(work[cpu].arg);
		__asm__ volatile("dmb ish" : : : "memory");
		work[cpu].busy = 0;
	}
}

void cpu_start(uint32_t cpu)
{
	if (work[cpu].up != 0)
		return;
	CHECK_EQ(smc(0xc4000003, cpu, (uint64_t)secondary, cpu), 0);
	while (work[cpu].up == 0)
		;
}

void cpu_gone(uint32_t cpu)
{
	work[cpu].up = 0;
	work[cpu].busy = 0;
}

void on_cpu(uint32_t cpu, uint64_t (*f)(uint64_t), uint64_t arg)
{
	cpu_start(cpu);
	work[cpu].f = f;
	work[cpu].arg = arg;
	__asm__ volatile("dmb ish" : : : "memory");
	work[cpu].busy = 1;
}

uint64_t wait_cpu(uint32_t cpu)
{
	while (work[cpu].busy != 0)
		__asm__ volatile("yield");
	__asm__ volatile("dmb ish" : : : "memory");
	return work[cpu].result;
}

static bool same(const char *a, const char *b)
{
	while (*a != 0 && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Each test is two offsets from themselves: of its function and of its name. */
void host_main(void)
{
	const char *name = test_name + sizeof("nie-test-name:") - 1;

	*word(GICD) = 0x13; /* ARE, groups 0 and 1 */
	gic_cpu(0);
	for (const int32_t *t = tests_start; (uint64_t)t < (uint64_t)tests_end; t += 2) {
		if (!same((const char *)(t + 1) + t[1], name))
			continue;
		((void (*)(void))((const char *)t + t[0]))();
		vms_destroy();
		print("verdict: passed\n");
		smc(0x84000008, 0, 0, 0);
		fail(__FILE__, __LINE__, "the machine is still on", 1, 0);
	}
	print(name);
	fail(__FILE__, __LINE__, ": no such test", 0, 1);
}
