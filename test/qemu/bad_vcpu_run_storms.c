/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM storms on three CPUs: TLB and cache maintenance, IPIs, WFI and WFE, calls, traps, devices, unaligned and cross-page
 * accesses, self-modifying code, vCPUs started twice. The victim and the host keep content and pace, counted in entries.
 */
#include "vm.h"

#define GUEST __attribute__((section(".guest"), noinline))

enum { VCPUS = 3, BURST = 32, KINDS = 11, TURNS = 2, PACE = 8, REASONS = NIE_EXIT_SERROR + 1 };
/* Between the stacks of two vCPUs that there are not: what is stored across it is nobody's. */
#define UNUSED (STACKS + 6 * 4096)
guest_program guest_storm;

/* SMC or HVC; returns x0. */
static GUEST uint64_t ask(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3, uint64_t smc_too)
{
	register uint64_t r0 __asm__("x0") = x0;
	register uint64_t r1 __asm__("x1") = x1;
	register uint64_t r2 __asm__("x2") = x2;
	register uint64_t r3 __asm__("x3") = x3;

	if (smc_too != 0)
		__asm__ volatile("smc #0" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");
	else
		__asm__ volatile("hvc #0" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");
	return r0;
}

static GUEST void maintain(uint64_t kind, uint64_t n)
{
	if (kind == 0)
		__asm__ volatile("tlbi vmalle1is\n\ttlbi vae1is, %0\n\ttlbi vmalle1\n\tdsb ish"
				 :
				 : "r"(n));
	else if (kind == 1)
		__asm__ volatile("dc cisw, %0\n\tdc csw, %0\n\tdc isw, %0\n\tdc civac, %1\n\t"
				 "ic ialluis\n\tic iallu\n\tdsb ish\n\tisb"
				 :
				 : "r"(n << 6), "r"(DATA + n * 64)
				 : "memory");
	else if (kind == 2)
		__asm__ volatile("msr S3_0_C12_C11_5, %0\n\tisb" : : "r"(1ULL << 40 | n << 24 | 7));
	else if (kind == 3)
		__asm__ volatile("wfi");
	else
		__asm__ volatile("sev\n\twfe\n\twfe");
}

/* What faults goes on at x16 (entry.S). */
static GUEST void access(uint64_t kind, uint64_t n)
{
	if (kind == 6)
		__asm__ volatile("adr x16, 1f\n\tmrs x17, pmcr_el0\n1:\tadr x16, 2f\n\tmsr "
				 "S3_0_C15_C2_0, xzr\n2:"
				 :
				 :
				 : "x16", "x17");
	else if (kind == 7)
		__asm__ volatile("ldr w17, [%0]\n\tstrb wzr, [%0]\n\tldrsh x17, [%0, #2]"
				 :
				 : "r"(DEVICE + n * 4)
				 : "x17", "memory");
	else
		__asm__ volatile("adr x16, 1f\n\tldr x17, [%0]\n1:\tadr x16, 2f\n\tldp x17, x30, "
				 "[%0]\n2:\tadr x16, 3f\n\tstr xzr, [%0, #1]\n3:"
				 :
				 : "r"(UNUSED - 4 + n % 3)
				 : "x16", "x17", "x30", "memory");
}

/* MOV W0, #n; RET, written and run. */
static GUEST uint64_t write_and_run(uint64_t number, uint64_t n)
{
	uint64_t at = DATA + number * 4096, value;

	*(volatile uint64_t *)at = 0xd65f03c0ULL << 32 | 0x52800000 | n << 5;
	__asm__ volatile(
		"dc cvau, %1\n\tdsb ish\n\tic ivau, %1\n\tdsb ish\n\tisb\n\tblr %1\n\tmov %0, x0"
		: "=&r"(value)
		: "r"(at)
		: "x0", "x30", "memory");
	return value;
}

/* 0, or the kind that went wrong. */
static GUEST uint64_t storm(uint64_t kind, uint64_t n, uint64_t number)
{
	if (kind < 5)
		maintain(kind, n);
	else if (kind == 5)
		return ask(0xc600ffff, n, n, n, n & 1) == ~0ULL ? 0 : kind;
	else if (kind < 9)
		access(kind, n);
	else if (kind == 9)
		return write_and_run(number, n) == n ? 0 : kind;
	else
		return ask(0xc4000003, n % VCPUS, WINDOW, 0, n & 1) == ~0ULL - 3 ? 0 : kind;
	return 0;
}

GUEST void guest_storm(uint64_t argument)
{
	uint64_t number, self, wrong = 0;

	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(number));
	number &= 7;
	__asm__("adr %0, guest_storm" : "=r"(self));
	for (uint64_t k = 1; number == 0 && k < VCPUS; k++)
		ask(0xc4000003, k, WINDOW, (self - WINDOW) | argument << 32, 0);
	for (uint64_t turn = 1;; turn++) {
		for (uint64_t kind = 0; kind < KINDS; kind++) {
			for (uint64_t n = 0; n < BURST && wrong == 0; n++)
				wrong = storm(kind, n, number);
			if (wrong != 0)
				ask(NIE_VM_HOST_CALL, REPORT_DONE, wrong, 0, 0);
		}
		*(volatile uint64_t *)(SHARED + 8 * number) = turn;
	}
}

static volatile bool over;
static uint64_t exits[REASONS];

static uint64_t run_storm(uint64_t k)
{
	uint32_t me = (uint32_t)k;

	while (!over) {
		in(1, me, RUN_IN_FLAGS, NIE_IN_ANSWER);
		alarm(2000);
		CHECK_EQ(CALL(VCPU_RUN, 1, k), NIE_OK);
		acknowledge();
		CHECK(out(1, me, RUN_OUT_REASON) < REASONS);
		if (out(1, me, RUN_OUT_REASON) == NIE_EXIT_HOST_CALL)
			fail(__FILE__, __LINE__, "a storm has gone wrong",
			     out(1, me, RUN_OUT_X0 + 2), k);
		__atomic_fetch_add(&exits[out(1, me, RUN_OUT_REASON)], 1, __ATOMIC_RELAXED);
	}
	alarm(0);
	return 0;
}

/* It reports within so many entries, and finds all as it was; so does the host. */
static void keeps_pace(uint64_t mine)
{
	uint64_t entries = 0;

	do {
		CHECK_EQ(CALL(VCPU_RUN, 0, 0), NIE_OK);
		acknowledge();
		CHECK(++entries <= PACE);
	} while (out(0, 0, RUN_OUT_REASON) == NIE_EXIT_IRQ);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_HOST_CALL);
	CHECK_EQ(out(0, 0, RUN_OUT_X0 + 1), REPORT_INTACT);
	CHECK_EQ(out(0, 0, RUN_OUT_X0 + 2), 0);
	CHECK_EQ(load(mine), 0x4057);
	CHECK_EQ(CALL(VM_INFO, 1), NIE_OK);
}

static bool all_stormed(void)
{
	for (uint32_t k = 0; k < VCPUS; k++) {
		if (load(vm[1].shared + 8 * k) < TURNS)
			return false;
	}
	return true;
}

TEST(bad_vcpu_run_storms)
{
	uint64_t mine = page();

	store(mine, 0x4057);
	victim(0);
	vm_create(1, VCPUS);
	vm_load(1);
	vm_share(1);
	for (uint32_t k = 0; k < VCPUS; k++)
		vm_vcpu(1, k, guest_storm, 0);
	CHECK_EQ(CALL(VM_ACTIVATE, 1), NIE_OK);
	for (uint32_t k = 1; k < VCPUS; k++)
		CHECK_EQ(enter(1, 0), NIE_EXIT_CPU_ON);
	for (uint32_t k = 0; k < VCPUS; k++)
		on_cpu(1 + k, run_storm, k);
	while (!all_stormed())
		keeps_pace(mine);
	over = true;
	for (uint32_t k = 0; k < VCPUS; k++) {
		kick(1 + k);
		wait_cpu(1 + k);
	}
	/* They did come: of each kind that leaves the VM at least one a vCPU, turn and instruction. */
	CHECK(exits[NIE_EXIT_SGI] >= VCPUS * TURNS * BURST);
	CHECK(exits[NIE_EXIT_WFI] >= VCPUS * TURNS * BURST);
	CHECK(exits[NIE_EXIT_MMIO_READ] >= 2 * VCPUS * TURNS * BURST);
	CHECK(exits[NIE_EXIT_MMIO_WRITE] >= VCPUS * TURNS * BURST);
	victim_intact(0);
}
