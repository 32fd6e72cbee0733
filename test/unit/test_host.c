/* SPDX-License-Identifier: Apache-2.0 */
/* Aborts of the host: what is tried again, what is injected, and the redistributors' first pages. */
#include "vm.h"
#include "../../engine/core/mmio.h"
#include "../../engine/core/trap.h"

#define VBAR                 0x90000ULL
#define SAS(log)             ((uint64_t)(log) << 22)
#define GICR_PA(cpu, offset) (((uint64_t)GICR + 32 * (cpu)) << 12 | (offset))

static void fault(uint64_t pstate, uint32_t class, uint64_t pa, uint64_t iss)
{
	*reg(0, REG_VBAR_EL1) = VBAR;
	*reg(0, REG_SPSR_EL2) = pstate;
	*reg(0, REG_ELR_EL2) = 0x1000;
	*reg(0, REG_HPFAR_EL2) = pa >> 12 << 4;
	*reg(0, REG_FAR_EL2) = 0xffff000000000000 | pa;
	take(0, TRAP_SYNC, (uint64_t)class << 26 | ESR_IL | iss);
}

static void check_injected(uint64_t vector, uint64_t esr)
{
	CHECK_EQ(*reg(0, REG_ELR_EL2), VBAR + vector);
	CHECK_EQ(*reg(0, REG_ESR_EL1), esr);
	CHECK_EQ(*reg(0, REG_ELR_EL1), 0x1000);
}

/* A page of a VM, of the engine, nothing at all, a withheld device. */
static void forbidden_addresses(void)
{
	active(0, 1);
	const uint64_t t[] = { CODE(0),
			       ROOT(0),
			       CONTEXT(0, 0),
			       (uint64_t)ENGINE_BASE << 12,
			       (uint64_t)TABLES << 12,
			       (uint64_t)(RAM_BASE + RAM_PAGES) << 12,
			       0,
			       0x0a000000,
			       0x4010000000,
			       0x7fffffffff };

	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fault(0x3c5, EC_DATA_ABORT, t[i], ISS_ISV | 7);
		check_injected(0x200, 0x25ULL << 26 | ESR_IL | 0xf);
		CHECK_EQ(*reg(0, REG_FAR_EL1), 0xffff000000000000 | t[i]);
		fault(0x3c5, EC_DATA_ABORT, t[i], ISS_WNR | 6);
		check_injected(0x200, 0x25ULL << 26 | ESR_IL | ISS_WNR | 0xf);
		fault(0x3c0, EC_DATA_ABORT, t[i], ISS_ISV | 7);
		check_injected(0x400, 0x24ULL << 26 | ESR_IL | 0x10);
		fault(0x3c5, EC_DATA_ABORT, t[i], ISS_S1PTW | 7);
		check_injected(0x200, 0x25ULL << 26 | ESR_IL | 0x10);
		fault(0x3c5, EC_INSTRUCTION_ABORT, t[i], 7);
		check_injected(0x200, 0x21ULL << 26 | ESR_IL | 0x10);
	}
}

/* The fault came while a block was split, or the page came back meanwhile. */
static void stale_fault_is_tried_again(void)
{
	active(0, 1);
	const uint64_t t[] = { PA(400), RUN(0, 0), (uint64_t)UART << 12, (uint64_t)GICD << 12,
			       ((uint64_t)GICR + 1) << 12 };

	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		fake_counts.changes = 0;
		fault(0x3c5, EC_DATA_ABORT, t[i], ISS_ISV | 7);
		CHECK_EQ(*reg(0, REG_ELR_EL2), 0x1000);
		CHECK_EQ(fake_counts.changes, 0);
	}
}

static void other_faults_are_external(void)
{
	fault(0x3c5, EC_DATA_ABORT, PA(400), 0xd); /* permission */
	check_injected(0x200, 0x25ULL << 26 | ESR_IL | 0x10);
	fault(0x3c5, EC_DATA_ABORT, PA(400), 0x30); /* TLB conflict */
	check_injected(0x200, 0x25ULL << 26 | ESR_IL | 0x10);
}

static uint64_t gicr_load(uint32_t cpu, uint32_t offset, uint32_t log)
{
	cpus[0].x[4] = 0xbad;
	fault(0x3c5, EC_DATA_ABORT, GICR_PA(cpu, offset), ISS_ISV | SAS(log) | 4 << 16 | 7);
	return *reg(0, REG_ELR_EL2) == 0x1004 ? cpus[0].x[4] : 0xbadbad;
}

/* True when the redistributor's registers are as they were. */
static bool gicr_store(uint32_t cpu, uint32_t offset, uint32_t log, uint64_t value)
{
	uint64_t before[32];

	memcpy(before, fake_gicr[cpu], sizeof(before));
	cpus[0].x[4] = value;
	fault(0x3c5, EC_DATA_ABORT, GICR_PA(cpu, offset),
	      ISS_ISV | ISS_WNR | SAS(log) | 4 << 16 | 7);
	return *reg(0, REG_ELR_EL2) == 0x1004 &&
	       memcmp(before, fake_gicr[cpu], sizeof(before)) == 0;
}

static void redistributor_reads(void)
{
	for (uint32_t cpu = 0; cpu < FAKE_CPUS; cpu++) {
		fake_gicr[cpu][1] = 0x12345678ffffffff;
		CHECK_EQ(gicr_load(cpu, 8, 3),
			 0x12345678fffffff4); /* PLPIS, VLPIS, DirectLPI are 0 */
		CHECK_EQ(gicr_load(cpu, 8, 2), 0xfffffff4);
		CHECK_EQ(gicr_load(cpu, 12, 2), 0x12345678);
		CHECK_EQ(gicr_load(cpu, 0x14, 2), 0xffffffff);
		CHECK_EQ(gicr_load(cpu, 0x70, 3), 0); /* PROPBASER */
		CHECK_EQ(gicr_load(cpu, 0x78, 3), 0);
		CHECK_EQ(gicr_load(cpu, 0xa0, 3), 0);
	}
}

/* The interrupt controller would read a VM's page as its table of pending interrupts. */
static void redistributor_writes(void)
{
	memset(fake_gicr, 0, sizeof(fake_gicr));
	for (uint32_t cpu = 0; cpu < FAKE_CPUS; cpu++) {
		for (uint32_t offset = 0; offset < 0x100; offset += 8) {
			if (offset != 0 && offset != 0x10)
				CHECK(gicr_store(cpu, offset, 3, ALL_ONES));
		}
		for (uint32_t offset = 4; offset < 0x1000; offset += 4) {
			if (offset != 0x14)
				CHECK(gicr_store(cpu, offset, 2, ALL_ONES));
		}
		gicr_store(cpu, 0, 2, ALL_ONES);
		CHECK_EQ(fake_gicr[cpu][0], 0xfffffffe);
		gicr_store(cpu, 0x14, 2, 2);
		CHECK_EQ(fake_gicr[cpu][2], 2ULL << 32);
	}
}

static void redistributor_needs_a_syndrome(void)
{
	fault(0x3c5, EC_DATA_ABORT, GICR_PA(0, 0x14), ISS_WNR | 7);
	check_injected(0x200, 0x25ULL << 26 | ESR_IL | ISS_WNR | 0xf);
	fault(0x3c5, EC_INSTRUCTION_ABORT, GICR_PA(0, 0), 7);
	check_injected(0x200, 0x21ULL << 26 | ESR_IL | 0x10);
}

static void interrupts_of_the_host_change_nothing(void)
{
	fake_counts.changes = 0;
	take(0, TRAP_IRQ, 0);
	take(0, TRAP_FIQ, 0);
	take(0, TRAP_SERROR, 0);
	CHECK_EQ(fake_counts.changes, 0);
}

TESTS(host, TEST(forbidden_addresses), TEST(stale_fault_is_tried_again),
      TEST(other_faults_are_external), TEST(redistributor_reads), TEST(redistributor_writes),
      TEST(redistributor_needs_a_syndrome), TEST(interrupts_of_the_host_change_nothing));
