/* SPDX-License-Identifier: Apache-2.0 */
/* What the software on a CPU does next: the host's and the VMs' exceptions, but for the host's calls. */
#include "../../engine/core/psci.h"
#include "../../engine/core/trap.h"
#include "oracle.h"
#include <string.h>

static uint64_t state;

void rnd_seed(uint64_t seed)
{
	state = seed;
}

uint64_t rnd(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint64_t below(uint64_t n)
{
	return rnd() % n;
}

bool chance(uint32_t in_256)
{
	return below(256) < in_256;
}

void profile_random(struct profile *p)
{
	for (uint32_t i = 0; i < 16; i++)
		p->call[i] = (uint8_t)(below(4) == 0 ? below(64) : below(16));
	for (uint32_t i = 0; i < 8; i++)
		p->other[i] = (uint8_t)below(24);
	p->vms = (uint8_t)(1 + below(6));
	p->wild = (uint8_t)below(100);
	p->big = (uint8_t)below(24);
	p->stop = (uint8_t)below(64);
}

void profile_mutate(struct profile *p)
{
	for (uint64_t n = 1 + below(4); n > 0; n--)
		((uint8_t *)p)[below(sizeof(*p))] = (uint8_t)(rnd() >> below(8));
	p->vms = (uint8_t)(1 + p->vms % 8);
}

static const uint64_t psci[] = { PSCI_VERSION,     PSCI_CPU_SUSPEND_32,   PSCI_CPU_OFF,
				 PSCI_CPU_ON_32,   PSCI_AFFINITY_INFO_32, PSCI_MIGRATE_INFO_TYPE,
				 PSCI_SYSTEM_OFF,  PSCI_SYSTEM_RESET,     PSCI_FEATURES,
				 PSCI_CPU_SUSPEND, PSCI_CPU_ON,           PSCI_AFFINITY_INFO,
				 SMCCC_VERSION,    NIE_VM_VERSION,        NIE_VM_PAGE_REOPEN,
				 NIE_VM_HOST_CALL, NIE_VM_PAGE_REOPEN,    PSCI_CPU_ON,
				 NIE_VM_HOST_CALL };
enum { PSCI_COUNT = sizeof(psci) / sizeof(psci[0]) };

static void smc(uint32_t cpu, bool host)
{
	uint64_t *x = cpus[cpu].x;
	uint64_t vm = cpus[cpu].vm;

	for (uint32_t i = 0; i < 7; i++)
		x[i] = below(3) == 0 ? rnd() : below(9);
	if (below(4) == 0)
		x[1 + below(3)] |= rnd() << 32;
	x[0] = psci[below(PSCI_COUNT)];
	if ((x[0] == PSCI_SYSTEM_OFF || x[0] == PSCI_SYSTEM_RESET) && below(4) != 0)
		x[0] = PSCI_CPU_ON;
	if (below(32) == 0)
		bend(&x[0]);
	if ((uint32_t)x[0] == PSCI_FEATURES)
		x[1] = psci[below(PSCI_COUNT)];
	if (host && vms[0].state == NIE_VM_FREE && vms[1].state == NIE_VM_FREE)
		x[0] = below(2) == 0 ? PSCI_SYSTEM_OFF : PSCI_SYSTEM_RESET;
	if (x[0] % (1ULL << 30) == PSCI_AFFINITY_INFO % (1ULL << 30) && below(2) == 0)
		x[2] = 0;
	if (host)
		return;
	if ((uint32_t)x[0] != PSCI_AFFINITY_INFO && below(4) != 0)
		x[2] = (vms[vm].ram_base + below(vms[vm].ram_pages + 2)) << 12;
	if ((uint32_t)x[0] == NIE_VM_PAGE_REOPEN)
		x[1] = ((below(2) == 0 ? a_spent_ipa(vm) : an_ipa(vm, false)) << 12) +
		       (below(8) == 0) + (below(16) == 0 ? 1ULL << 39 : 0);
	if (below(64) == 0)
		x[0] |= rnd() << 32;
}

static uint64_t an_encoding(void)
{
	static const uint64_t known[] = {
		3 << 20, /* S3_0_C0_C0_0 */
		3 << 20 | 4 << 1, /* S3_0_C0_C4_* */
		2 << 20 | 2 << 17 | 2 << 1, /* MDSCR */
		3 << 20 | 1 << 17 | 1 << 10, /* ACTLR */
		3 << 20 | 5 << 17 | 12 << 10 | 11 << 1, /* SGI1R, ASGI1R, SGI0R */
		3 << 20 | 6 << 17 | 12 << 10 | 11 << 1,
		3 << 20 | 7 << 17 | 12 << 10 | 11 << 1,
		3 << 20 | 5 << 17 | 12 << 10 | 12 << 1, /* ICC_SRE */
		3 << 20 | 3 << 14 | 14 << 10 | 2 << 1, /* CNTP */
		1 << 20 | 2 << 17 | 7 << 10 | 6 << 1, /* DC ISW */
		2 << 20,
	};
	uint64_t e = known[below(sizeof(known) / sizeof(known[0]))];

	if (e <= (3 << 20 | 4 << 1) && e >= 3 << 20)
		e = 3 << 20 | below(8) << 17 | below(9) << 1;
	else if (below(3) == 0)
		e ^= 1ULL << (1 + below(21));
	return e | below(2) | below(32) << 5;
}

static uint64_t abort_syndrome(void)
{
	uint64_t class = below(2) == 0 ? EC_DATA_ABORT : EC_INSTRUCTION_ABORT;
	uint64_t iss = rnd() & 0x1ffffff;

	if (below(4) != 0)
		class = EC_DATA_ABORT;
	if (below(4) != 0)
		iss = (iss & ~0x3fULL) | FSC_TRANSLATION | below(4);
	if (below(2) == 0)
		iss = (iss | 1 << 24) & ~(uint64_t)(1 << 7 | 1 << 8);
	return (class + (below(16) == 0)) << 26 | 1 << 25 | iss;
}

static void fault(uint32_t cpu, bool host)
{
	uint64_t page = below(2) == 0 ? RAM_BASE + below(RAM_PAGES) : GICR + below(160);

	if (host && below(2) == 0)
		page = GICR + 32 * below(CPUS + 1);
	if (!host)
		page = below(2) == 0 ? an_ipa(cpus[cpu].vm, below(4) == 0) : below(1ULL << 27);
	if (!host && below(8) == 0)
		page = a_spent_ipa(cpus[cpu].vm);
	if (below(16) == 0)
		bend(&page);
	registers[cpu][REG_ESR_EL2] = abort_syndrome();
	registers[cpu][REG_HPFAR_EL2] =
		page << 4 | (below(8) == 0 ? rnd() & 0xf00000000000000f : 0);
	registers[cpu][REG_FAR_EL2] = below(2) == 0 ? below(8) * 4 : rnd();
}

/* Software at EL1 changed some registers since. */
static void live(uint32_t cpu)
{
	for (uint64_t n = below(4); n > 0; n--)
		registers[cpu][below(REG_SWITCHED)] = rnd();
	if (cpus[cpu].vm != CPU_HOST) {
		for (uint32_t i = 0; i < NIE_LRS && below(2) == 0; i++)
			registers[cpu][REG_ICH_LR0_EL2 + i] = rnd();
		registers[cpu][REG_ICH_VMCR_EL2 + below(3)] = rnd();
		registers[cpu][REG_ICH_HCR_EL2] ^= below(32) << 27;
		registers[cpu][REG_VDISR_EL2] = below(2);
	}
	cpus[cpu].x[below(31)] = rnd();
	vectors[cpu][below(66)] = rnd();
	if (below(2) == 0)
		registers[cpu][REG_SPSR_EL2] = below(2) == 0 ? 0x3c5 : 0;
	outside = rnd();
}

static uint32_t interrupt(void)
{
	static const uint32_t kinds[] = { TRAP_IRQ, TRAP_FIQ, TRAP_SERROR };

	return kinds[below(3)];
}

uint32_t generate(uint32_t cpu, const struct profile *p)
{
	bool host = cpus[cpu].vm == CPU_HOST;
	uint32_t what = host ? pick(p->other, 4) : pick(p->other + 4, 4);
	uint64_t *esr = &registers[cpu][REG_ESR_EL2];

	live(cpu);
	if (host && below(8) != 0) {
		*esr = (uint64_t)EC_HVC64 << 26 | 1 << 25;
		host_hvc(cpu, p);
		return TRAP_SYNC;
	}
	switch (what) {
	case 0:
		*esr = (uint64_t)(host || below(2) == 0 ? EC_SMC64 : EC_HVC64) << 26;
		smc(cpu, host);
		return TRAP_SYNC;
	case 1:
		*esr = (uint64_t)EC_SYSREG << 26 | 1 << 25 | an_encoding();
		return TRAP_SYNC;
	case 2:
		fault(cpu, host);
		return TRAP_SYNC;
	default:
		if (below(2) == 0)
			return interrupt();
		*esr = (below(2) == 0 ? EC_WFX : below(64)) << 26 | (rnd() & 0x1ffffff);
		return TRAP_SYNC;
	}
}
