/* SPDX-License-Identifier: Apache-2.0 */
/* The VM's side. Nothing outside of the section exists in a VM. */
#include "registers.h"
#include "../../abi/nie.h"

#define GUEST __attribute__((section(".guest"), noinline))

enum { MSR_X9 = 0xd5100009, MRS_X9 = 0xd5300009, RET = 0xd65f03c0 };

static GUEST uint64_t ask(uint64_t code, uint64_t value)
{
	register uint64_t r0 __asm__("x0") = NIE_VM_HOST_CALL;
	register uint64_t r1 __asm__("x1") = code;
	register uint64_t r2 __asm__("x2") = value;
	register uint64_t r3 __asm__("x3") = 0;

	__asm__ volatile("hvc #0" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");
	return r0;
}

static GUEST uint64_t execute(uint32_t instruction, uint32_t number, uint64_t value)
{
	volatile uint32_t *slot = (volatile uint32_t *)DATA;

	slot[0] = instruction | number << 5;
	slot[1] = RET;
	return guest_register(DATA, value);
}

/* SCTLR_EL1, VBAR_EL1, SPSel, DAIF: the program could not go on. */
static GUEST uint64_t needed(uint32_t number)
{
	return number == NUMBER(3, 0, 1, 0, 0) || number == NUMBER(3, 0, 12, 0, 0) ||
	       number == NUMBER(3, 0, 4, 2, 0) || number == NUMBER(3, 3, 4, 2, 1);
}

static GUEST void write_all(uint64_t value)
{
	for (uint32_t n = 0; n < ENCODINGS; n++) {
		if ((n >> 13 & 1) == 0 && !needed(n))
			execute(MSR_X9, n, value);
	}
}

static GUEST void compare_all(void)
{
	volatile uint64_t *last = (volatile uint64_t *)REGISTERS;

	for (uint32_t n = 0; n < ENCODINGS; n++) {
		if ((n >> 13 & 1) != 0)
			continue;

		uint64_t value = execute(MRS_X9, n, 0);

		if (*last != value)
			ask(REPORT_VALUE, n);
		*last++ = value;
	}
}

GUEST void guest_registers(uint64_t argument)
{
	uint64_t command = ask(REPORT_READY, argument);

	for (;;) {
		if (command == COMPARE)
			compare_all();
		else
			write_all(command == WRITE_ONES ? ~0ULL : 0);
		command = ask(REPORT_DONE, 0);
	}
}
