/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that the fuzzing host runs. Nothing outside of the section exists in a VM. */
#include "fuzz.h"

#define GUEST __attribute__((section(".guest"), noinline))

enum { VISIT = 150 };
struct loaded {
	uint64_t esr, value;
};
struct loaded risky_load(uint64_t address, uint64_t unused);
uint64_t risky_store(uint64_t address, uint64_t value);
uint64_t risky_jump(uint64_t code, const uint64_t *registers);
uint64_t guest_check_registers(uint64_t pattern, uint64_t code, uint64_t value);
extern const char risky_vectors[];

static GUEST uint64_t call(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
	register uint64_t r0 __asm__("x0") = x0;
	register uint64_t r1 __asm__("x1") = x1;
	register uint64_t r2 __asm__("x2") = x2;
	register uint64_t r3 __asm__("x3") = x3;
	register uint64_t r4 __asm__("x4") = 0;
	register uint64_t r5 __asm__("x5") = 0;
	register uint64_t r6 __asm__("x6") = 0;

	__asm__ volatile("hvc #0"
			 : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
			 : "r"(r4), "r"(r5), "r"(r6)
			 : "memory");
	return r0;
}

static GUEST uint64_t draw(uint64_t *random, uint64_t n)
{
	*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*random >> 33) % n;
}

static GUEST void start(void)
{
	__asm__ volatile("msr vbar_el1, %0\n\tmsr tpidrro_el0, xzr\n\tisb" : : "r"(risky_vectors));
}

/* What a worker keeps in the word at this address: its own and nobody else's. */
static GUEST uint64_t secret(uint64_t seed, uint64_t address)
{
	return SECRET_MARK << 48 | seed << 32 | (address & 0xffffffff);
}

static GUEST uint64_t some_page(uint64_t *random)
{
	uint64_t page = CHECKED + draw(random, 64);

	if (draw(random, 8) < 3)
		page = 512 * (1 + draw(random, 3)) + draw(random, 64);
	return WINDOW + page * 4096;
}

/*
 * A word is zero, since its page is fresh, or what a vCPU of this VM wrote. Then it is written. So for a while with one
 * page, whose address the VM lets the host know.
 */
static GUEST void visit(uint64_t seed, uint64_t *random)
{
	uint64_t page = some_page(random), number;

	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(number));
	risky_store(SHARED + number % 8 * 8, page);
	for (uint32_t n = 0; n < VISIT; n++) {
		uint64_t at = page + draw(random, 512) * 8;
		struct loaded l = risky_load(at, 0);

		if (l.esr != 0) {
			if (draw(random, 2) == 0)
				call(NIE_VM_PAGE_REOPEN, page, 0, 0);
			return;
		}
		if (l.value != 0 && l.value != secret(seed, at))
			call(NIE_VM_HOST_CALL, REPORT_BAD, l.value, at);
		if (risky_store(at, secret(seed, at)) != 0)
			return;
	}
}

static GUEST void use_device(uint64_t *random)
{
	uint64_t at = DEVICE + draw(random, 1024) * 8, value = draw(random, 1 << 30);

	switch (draw(random, 5)) {
	case 0:
		__asm__ volatile("ldrsb w0, [%0]\n\tstrb w0, [%0]" : : "r"(at) : "x0", "memory");
		return;
	case 1:
		__asm__ volatile("ldrh w0, [%0]\n\tstrh w0, [%0]" : : "r"(at) : "x0", "memory");
		return;
	case 2:
		__asm__ volatile("ldrsw x0, [%0]\n\tstr w0, [%0]" : : "r"(at) : "x0", "memory");
		return;
	case 3:
		__asm__ volatile("str %1, [%0]" : : "r"(at), "r"(value) : "memory");
		return;
	default:
		risky_store(SHARED + draw(random, 8) * 4096 + 64, HOST_MARK);
		return;
	}
}

static GUEST void ask(uint64_t seed, uint64_t *random)
{
	uint64_t self, k = draw(random, 4);

	__asm__("adr %0, guest_worker" : "=r"(self));
	switch (draw(random, 9)) {
	case 0:
		call(0xc4000003, k, WINDOW, (self - WINDOW) | seed << 32);
		return;
	case 1:
		call(0xc4000004, k, draw(random, 2), 0);
		return;
	case 2:
		/* Off, or all off: not too often. */
		if (draw(random, 2) == 0)
			call(draw(random, 16) == 0 ? 0x84000008 : 0x84000002, 0, 0, 0);
		return;
	case 3:
		call(0xc4000001, 0, WINDOW, 0);
		return;
	case 4:
		call(NIE_VM_PAGE_REOPEN, some_page(random), 0, 0);
		return;
	case 5:
		__asm__ volatile("msr S3_0_C12_C11_5, %0\n\tisb" : : "r"(draw(random, 1 << 30)));
		return;
	default:
		call(NIE_VM_HOST_CALL, REPORT_VALUE, k, 0);
		return;
	}
}

static GUEST void disturb(uint64_t *random)
{
	switch (draw(random, 8)) {
	case 0:
		__asm__ volatile("tlbi vmalle1is\n\tdsb ish\n\tisb");
		return;
	case 1:
		__asm__ volatile("ic ialluis\n\tdsb ish\n\tisb");
		return;
	case 2:
		__asm__ volatile("dc cisw, %0\n\tdsb ish" : : "r"(draw(random, 1 << 16) & ~0xfULL));
		return;
	case 3:
		__asm__ volatile("wfi");
		return;
	case 4:
		__asm__ volatile("sev\n\twfe");
		return;
	case 5:
		__asm__ volatile("msr S3_0_C12_C11_5, %0\n\tisb" : : "r"(draw(random, 1 << 30)));
		return;
	case 6:
		__asm__ volatile("msr cntv_tval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb"
				 :
				 : "r"(draw(random, 10000)), "r"(1ULL));
		return;
	default:
		__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic iallu\n\tisb" : : "r"(WINDOW));
		return;
	}
}

GUEST void guest_worker(uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15ULL, number;

	start();
	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(number));
	random += number << 20;
	for (;;) {
		uint64_t what = draw(&random, 16);

		if (what < 8) {
			visit(seed, &random);
		} else if (what < 9) {
			use_device(&random);
		} else if (what < 14) {
			ask(seed, &random);
		} else if (what == 14) {
			disturb(&random);
		} else {
			uint64_t wrong = guest_check_registers(secret(seed, 0), REPORT_VALUE, 0);

			__asm__ volatile("msr tpidrro_el0, xzr");
			if (wrong != 0)
				call(NIE_VM_HOST_CALL, REPORT_BAD, wrong, 0);
		}
	}
}
