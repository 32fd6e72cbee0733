/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two VMs and the host take turns on one CPU: one writes zeroes, then ones, to every register that MSR could name;
 * nothing that another reads changes by it. docs/REGISTERS.md says why for each.
 */
#include "registers.h"
#include "vm.h"

enum { MSR_X9 = 0xd5100009, MRS_X9 = 0xd5300009, RET = 0xd65f03c0 };

/* Time, and random numbers. */
static bool varies(uint64_t n)
{
	return n == NUMBER(3, 3, 14, 0, 1) || n == NUMBER(3, 3, 14, 0, 2) ||
	       n == NUMBER(3, 3, 14, 0, 5) || n == NUMBER(3, 3, 14, 0, 6) ||
	       n == NUMBER(3, 3, 14, 2, 0) || n == NUMBER(3, 3, 14, 3, 0) ||
	       n == NUMBER(3, 3, 2, 4, 0) || n == NUMBER(3, 3, 2, 4, 1);
}

/* What the host's program stands on, and its real interrupt controller. */
static bool hosts_own(uint32_t n)
{
	uint32_t row = n & ~7U; /* all but op2 */

	return row == NUMBER(3, 0, 1, 0, 0) || row == NUMBER(3, 0, 2, 0, 0) ||
	       row == NUMBER(3, 0, 10, 2, 0) || row == NUMBER(3, 0, 12, 0, 0) ||
	       n == NUMBER(3, 0, 13, 0, 4) || n == NUMBER(3, 0, 4, 2, 0) ||
	       n == NUMBER(3, 3, 4, 2, 1) || row == NUMBER(3, 0, 4, 6, 0) ||
	       (row >= NUMBER(3, 0, 12, 8, 0) && row <= NUMBER(3, 0, 12, 15, 0));
}

static uint64_t execute(uint64_t slot, uint32_t instruction, uint32_t n, uint64_t value)
{
	store(slot, (uint64_t)RET << 32 | instruction | n << 5);
	return host_register(slot, value);
}

static void host_writes(uint64_t slot, uint64_t value)
{
	for (uint32_t n = 0; n < ENCODINGS; n++) {
		if ((n >> 13 & 1) == 0 && !hosts_own(n))
			execute(slot, MSR_X9, n, value);
	}
}

/* How many registers do not read as in `last`; with `judge` there must be none, the first is named. */
static uint32_t host_compares(uint64_t slot, uint64_t last, bool judge)
{
	uint32_t changed = 0;

	for (uint32_t n = 0; n < ENCODINGS; n++, last += 8) {
		uint64_t value = (n >> 13 & 1) == 0 ? execute(slot, MRS_X9, n, 0) : 0;

		if (value != load(last) && !varies(n)) {
			changed++;
			if (judge) {
				print("the host's register ");
				print_hex(n);
				CHECK_EQ(value, load(last));
			}
		}
		store(last, value);
	}
	return changed;
}

/* The same of a VM; its software interrupts are sent nowhere. */
static uint32_t vm_does(uint32_t i, uint64_t command, bool judge)
{
	uint32_t changed = 0;

	in(i, 0, RUN_IN_X0, command);
	for (;;) {
		uint64_t reason = enter(i, 0);

		if (reason == NIE_EXIT_SGI)
			continue;
		CHECK_EQ(reason, NIE_EXIT_HOST_CALL);
		if (out(i, 0, RUN_OUT_X0 + 1) == REPORT_DONE)
			return changed;
		CHECK_EQ(out(i, 0, RUN_OUT_X0 + 1), REPORT_VALUE);
		if (varies(out(i, 0, RUN_OUT_X0 + 2)))
			continue;
		changed++;
		if (judge) {
			print("a VM's register changed; ");
			CHECK_EQ(out(i, 0, RUN_OUT_X0 + 2), 0);
		}
	}
}

static void start(uint32_t i)
{
	uint64_t memory = pages(REGISTER_PAGES, 64 * PAGE);

	vm_start(i, 1, guest_registers, i);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, i, REGISTERS, memory, REGISTER_PAGES, 3), NIE_OK);
	expect_report(i, 0, REPORT_READY);
}

TEST(bad_vcpu_run_register_channels)
{
	uint64_t slot = page(), last = pages(2 * REGISTER_PAGES, PAGE);

	start(0);
	start(1);
	vm_does(0, WRITE_ZEROES, true);
	host_writes(slot, 0);
	/* Twice: what the readers' own exceptions leave is then as before. */
	for (uint32_t n = 0; n < 2; n++) {
		vm_does(0, COMPARE, false);
		vm_does(1, COMPARE, false);
		host_compares(slot, last, false);
	}
	vm_does(0, WRITE_ONES, true);
	host_compares(slot, last, true);
	vm_does(1, COMPARE, true);
	/* The writer does see what it wrote, so there was something to see. */
	CHECK(vm_does(0, COMPARE, false) >= 20);
	host_writes(slot, ~0ULL);
	vm_does(0, COMPARE, true);
	vm_does(1, COMPARE, true);
	CHECK(host_compares(slot, last, false) >= 15);
}
