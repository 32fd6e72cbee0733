/* SPDX-License-Identifier: Apache-2.0 */
/* The programs. Nothing outside of the section exists in a VM: no constants in memory, no library. */
#include "guest.h"
#include "../../abi/nie.h"

#define GUEST __attribute__((section(".guest"), noinline))

uint64_t guest_load(uint64_t address, uint64_t *value);
uint64_t guest_jump(uint64_t address);
uint64_t guest_call(uint64_t address, uint64_t *value);
uint64_t guest_wait(uint64_t spin);
uint64_t guest_check_registers(uint64_t pattern, uint64_t code, uint64_t value);

/* SMC or HVC with x0..x3; returns x0. */
static GUEST uint64_t call(uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
	register uint64_t r0 __asm__("x0") = x0;
	register uint64_t r1 __asm__("x1") = x1;
	register uint64_t r2 __asm__("x2") = x2;
	register uint64_t r3 __asm__("x3") = x3;

	__asm__ volatile("hvc #0" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");
	return r0;
}

/* Tells the host; returns x0 of its answer. */
static GUEST uint64_t report(uint64_t code, uint64_t value)
{
	return call(NIE_VM_HOST_CALL, code, value, 0);
}

static GUEST volatile uint64_t *word(uint64_t address)
{
	return (volatile uint64_t *)address;
}

static GUEST uint64_t wrong_words(uint64_t from, uint64_t pages, uint64_t pattern)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < pages * 512; i++)
		wrong += *word(from + 8 * i) != pattern + i;
	return wrong;
}

static GUEST void fill(uint64_t from, uint64_t pages, uint64_t pattern)
{
	for (uint64_t i = 0; i < pages * 512; i++)
		*word(from + 8 * i) = pattern + i;
}

GUEST void guest_victim(uint64_t argument)
{
	uint64_t pattern = argument << 40 | 0x5ec4e700;
	uint64_t code = REPORT_READY, wrong = 0;

	fill(DATA, DATA_PAGES, pattern);
	for (;;) {
		uint64_t registers = guest_check_registers(pattern, code, wrong);

		wrong = registers << 32 | wrong_words(DATA, DATA_PAGES, pattern);
		code = REPORT_INTACT;
	}
}

GUEST void guest_reader(uint64_t argument)
{
	uint64_t value = argument, address = report(REPORT_READY, 0);

	for (;;) {
		uint64_t esr = guest_load(address, &value);

		address = esr == 0 ? report(REPORT_VALUE, value) : report(REPORT_ABORT, esr);
	}
}

GUEST void guest_jumper(uint64_t argument)
{
	uint64_t address = report(REPORT_READY, argument);

	for (;;) {
		uint64_t esr = guest_jump(address);

		address = report(esr == 0 ? REPORT_VALUE : REPORT_ABORT, esr);
	}
}

GUEST void guest_busy(uint64_t argument)
{
	uint64_t from = WINDOW + (2 << 20) + argument * 65536;

	for (uint64_t round = 1;; round++) {
		fill(from, 4, round << 32);
		if (wrong_words(from, 4, round << 32) != 0)
			report(REPORT_INTACT, 1);
		*word(SHARED) = round;
	}
}

GUEST void guest_busy_all(uint64_t argument)
{
	uint64_t self;

	__asm__("adr %0, guest_busy_all" : "=r"(self));
	if (argument == 0) {
		for (uint64_t k = 1; k < 3; k++)
			call(0xc4000003, k, WINDOW, (self - WINDOW) | k << 32);
	}
	for (uint64_t round = 1;; round++) {
		for (uint64_t block = 1; block <= BUSY_BLOCKS; block++) {
			uint64_t at = WINDOW + (block << 21) + argument * 65536 + round % 16 * 4096;

			*word(at) = round;
			if (*word(at) != round)
				report(REPORT_INTACT, 1);
		}
		*word(SHARED + 8 * argument) = round;
	}
}

GUEST void guest_two(uint64_t argument)
{
	uint64_t number, self;

	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(number));
	number &= 7;
	__asm__("adr %0, guest_two" : "=r"(self));
	if (number == 0)
		call(0xc4000003, 1, WINDOW, (self - WINDOW) | argument << 32);
	for (;;)
		report(REPORT_VALUE, number);
}

GUEST void guest_driver(uint64_t argument)
{
	uint64_t value = argument;

	for (;;) {
		value = *(volatile uint32_t *)(DEVICE + 4);
		*(volatile uint16_t *)(DEVICE + 8) = (uint16_t)report(REPORT_VALUE, value);
	}
}

GUEST void guest_reopener(uint64_t argument)
{
	uint64_t address = report(REPORT_READY, argument);

	for (;;)
		address = report(REPORT_VALUE, call(NIE_VM_PAGE_REOPEN, address, 0, 0));
}

GUEST void guest_caller(uint64_t argument)
{
	uint64_t function = report(REPORT_READY, argument);

	for (;;)
		function = report(REPORT_VALUE,
				  call(function, argument, function == 0xc4000003 ? WINDOW : 0, 0));
}

GUEST void guest_interrupted(uint64_t argument)
{
	__asm__ volatile("msr S3_0_C4_C6_0, %0\n\tmsr S3_0_C12_C12_7, %1\n\tisb"
			 :
			 : "r"(0xffULL), "r"(1ULL));
	report(REPORT_READY, argument);
	for (;;)
		report(REPORT_VALUE, guest_wait(0));
}

GUEST void guest_timer(uint64_t argument)
{
	__asm__ volatile("msr S3_0_C4_C6_0, %0\n\tmsr S3_0_C12_C12_7, %1\n\tisb"
			 :
			 : "r"(0xffULL), "r"(1ULL));
	report(REPORT_READY, 0);
	for (;;) {
		__asm__ volatile("msr cntv_tval_el0, %0\n\tmsr cntv_ctl_el0, %1\n\tisb"
				 :
				 : "r"(10000000ULL), "r"(1ULL));
		report(REPORT_VALUE, guest_wait(argument));
	}
}

GUEST void guest_sweep(uint64_t argument)
{
	uint64_t readable = 0, value = 0;

	for (uint64_t n = 0; n < 1 << 15; n++) {
		/* MRS X0 of each register of op0 2 and 3; RET */
		*word(DATA) = 0xd65f03c0ULL << 32 | 0xd5300000 | n << 5;
		__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb"
				 :
				 : "r"(DATA)
				 : "memory");
		if (guest_call(DATA, &value) != 0)
			continue;
		readable++;
		if (value >> 32 == argument)
			report(REPORT_DONE, n);
	}
	report(REPORT_VALUE, readable);
}

GUEST void guest_sgi(uint64_t argument)
{
	uint64_t target = report(REPORT_READY, argument);

	for (;;) {
		__asm__ volatile("msr S3_0_C12_C11_5, %0\n\tisb" : : "r"(target));
		target = report(REPORT_DONE, target);
	}
}
