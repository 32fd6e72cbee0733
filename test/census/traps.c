/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine's trap code does with each register: reads lines "ENCODING op0 op1 CRn CRm op2", prints
 * "ENCODING host-read host-write vm-read vm-write", each one of
 *   U undefined   C a fixed value, or a write without effect   P passed on to a register   E an exit to the host
 * and then, for each exception class, "EC<n> host host vm vm": U undefined, - something else.
 * It runs engine/core on the fake machine of test/unit.
 */
#include "../unit/vm.h"
#include "../../engine/core/trap.h"
#include "../../engine/core/world.h"
#include <stdio.h>
#include <stdlib.h>

enum { READ = 1, HOST_CPU = 0, VM_CPU = 1, PC = 0x1000, VECTORS = 0x80000, X = 9 };

bool check_failed;

void check_report(const char *file, int line, const char *text)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
	exit(1);
}

void check_equal(const char *file, int line, const char *text, uint64_t is, uint64_t want)
{
	if (is != want)
		check_report(file, line, text);
}

uint64_t granted(const char *file, int line, const char *call, uint64_t id, const uint64_t args[6])
{
	check_equal(file, line, call, hvc(HOST_CPU, id, args), NIE_OK);
	return cpus[HOST_CPU].x[1];
}

/* A VM runs on VM_CPU, the host on HOST_CPU; both at PC. `fill`: what registers of EL1 hold. */
static void prepare(uint32_t cpu, uint64_t fill)
{
	if (cpu == VM_CPU && cpus[cpu].vm == CPU_HOST && run(cpu, 0, 0) != NIE_OK)
		check_report(__FILE__, __LINE__, "the VM runs");
	for (uint32_t r = 0; r < REG_ELR_EL2; r++)
		*reg(cpu, r) = fill;
	*reg(cpu, REG_ELR_EL2) = PC;
	*reg(cpu, REG_SPSR_EL2) = PSTATE_EL1H_MASKED;
	*reg(cpu, REG_VBAR_EL1) = VECTORS;
}

static bool is_undefined(uint32_t cpu)
{
	return *reg(cpu, REG_ELR_EL2) == VECTORS + 0x200 && *reg(cpu, REG_ESR_EL1) == ESR_IL;
}

/* Does a write of all ones change any register but where the context resumes? */
static char did_write(uint32_t cpu, uint64_t iss)
{
	uint64_t before[REG_ELR_EL2];

	prepare(cpu, 0);
	cpus[cpu].x[X] = ~0ULL;
	memcpy(before, fake_reg[cpu], sizeof(before));
	take(cpu, TRAP_SYNC, (uint64_t)EC_SYSREG << 26 | ESR_IL | iss);
	if (is_undefined(cpu))
		return 'U';
	if (cpu == VM_CPU && cpus[cpu].vm == CPU_HOST)
		return 'E';
	if (*reg(cpu, REG_ELR_EL2) != PC + 4)
		return '?';
	return memcmp(before, fake_reg[cpu], sizeof(before)) == 0 ? 'C' : 'P';
}

/* Is the same read whatever the registers of EL1 hold? */
static char did_read(uint32_t cpu, uint64_t iss)
{
	uint64_t value[2];

	for (uint32_t i = 0; i < 2; i++) {
		prepare(cpu, i == 0 ? 0 : ~0ULL);
		cpus[cpu].x[X] = 0xbad00 + i;
		take(cpu, TRAP_SYNC, (uint64_t)EC_SYSREG << 26 | ESR_IL | iss | READ);
		if (is_undefined(cpu))
			return 'U';
		if (cpu == VM_CPU && cpus[cpu].vm == CPU_HOST)
			return 'E';
		if (*reg(cpu, REG_ELR_EL2) != PC + 4)
			return '?';
		value[i] = cpus[cpu].x[X];
	}
	return value[0] == value[1] ? 'C' : 'P';
}

static char did_class(uint32_t cpu, uint64_t class)
{
	prepare(cpu, 0);
	cpus[cpu].x[0] = 0x84000000; /* PSCI_VERSION, where it is a call */
	*reg(cpu, REG_HPFAR_EL2) = 0;
	take(cpu, TRAP_SYNC, class << 26 | ESR_IL);
	return is_undefined(cpu) ? 'U' : '-';
}

int main(void)
{
	char name[64];
	unsigned int op0, op1, crn, crm, op2;

	start();
	active(0, 1);
	while (scanf("%63s %u %u %u %u %u", name, &op0, &op1, &crn, &crm, &op2) == 6) {
		uint64_t iss =
			(uint64_t)op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | X << 5 | crm << 1;

		printf("%s %c %c %c %c\n", name, did_read(HOST_CPU, iss), did_write(HOST_CPU, iss),
		       did_read(VM_CPU, iss), did_write(VM_CPU, iss));
	}
	for (uint64_t class = 0; class < 64; class ++) {
		char host = did_class(HOST_CPU, class);
		char vm = did_class(VM_CPU, class);

		printf("EC%u %c %c %c %c\n", (unsigned int)class, host, host, vm, vm);
	}
	return fake_violations == 0 ? 0 : 1;
}
