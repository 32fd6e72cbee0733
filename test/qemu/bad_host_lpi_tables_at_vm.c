/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The redistributors are told that the victim's page is their table of LPIs: they would write pending bits into it and
 * read it. The machine has an ITS. Nothing that the host writes there has an effect.
 */
#include "vm.h"

enum { CTLR = 0, TYPER = 8, PROPBASER = 0x70, PENDBASER = 0x78 };

static uint32_t load32(uint64_t address)
{
	return *(volatile uint32_t *)address;
}

static void store32(uint64_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

TEST(bad_host_lpi_tables_at_vm)
{
	victim(0);
	for (uint64_t cpu = 0; cpu < CPUS; cpu++) {
		uint64_t rd = GICR + 0x20000 * cpu;

		CHECK_EQ(load(rd + TYPER) & 0xb, 0); /* PLPIS, VLPIS, DirectLPI */
		CHECK_EQ(load(rd + TYPER) >> 32, cpu);
		store(rd + PROPBASER, vm[0].data | 13);
		store(rd + PENDBASER, vm[0].data | 1ULL << 62);
		store32(rd + PENDBASER, (uint32_t)vm[0].data);
		store32(rd + CTLR, 1);
		CHECK_EQ(load(rd + PROPBASER), 0);
		CHECK_EQ(load(rd + PENDBASER), 0);
		CHECK_EQ(load32(rd + CTLR) & 1, 0);
		/* SETLPIR, INVLPIR, INVALLR */
		store(rd + 0x40, 8192);
		store(rd + 0xa0, 8192);
		store(rd + 0xb0, 8192);
		CHECK_EQ(load32(rd + CTLR) & 1, 0);
	}
	victim_intact(0);
}
