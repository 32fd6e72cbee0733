/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host reads every system register that an instruction can name, and writes back what it read: the engine goes on, no
 * register of EL2 answers, none holds a secret of the victim, and the victim's own are untouched.
 */
#include "vm.h"

enum { RET = 0xd65f03c0, MRS = 0xd5300000, MSR = 0xd5100000, REGISTERS = 1 << 15 };

/* The victim's pattern is 1 << 40 | 0x5ec4e700 and a little. */
static bool is_secret(uint64_t value)
{
	return value >> 16 == (1ULL << 24 | 0x5ec4);
}

static uint64_t execute(uint64_t code, uint64_t instruction, uint64_t *x0)
{
	store(code, (uint64_t)RET << 32 | instruction);
	__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb"
			 :
			 : "r"(code)
			 : "memory");
	return try_call(code, x0);
}

/* op1 of registers that only EL2 and EL3 have. Of op0 2 (debug, trace) the engine makes what traps read as zero. */
static bool is_el2(uint64_t n, uint64_t value)
{
	uint64_t op1 = n >> 11 & 7;

	return (op1 == 4 || op1 == 6) && (n >> 14 != 0 || value != 0);
}

TEST(bad_host_every_register)
{
	uint64_t code = page(), readable = 0;

	victim(0);
	victim_intact(0);
	for (uint64_t n = 0; n < REGISTERS; n++) {
		uint64_t value = 0;

		if (execute(code, MRS | n << 5, &value) != 0)
			continue;
		readable++;
		CHECK(!is_secret(value));
		CHECK_EQ(is_el2(n, value) ? n : 0, 0);
		execute(code, MSR | n << 5, &value);
	}
	/* ID registers alone are more. */
	CHECK(readable > 100);
	victim_intact(0);
}
