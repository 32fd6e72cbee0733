/* SPDX-License-Identifier: Apache-2.0 */
/* The primitives of ../core/prim.h but for registers (sysreg.c) and floating point (fp.S). */
#include "arch.h"

static uint64_t *word(struct pfn page, uint32_t i)
{
	return (uint64_t *)address_of_page(page.n) + i;
}

uint64_t page_read(struct pfn page, uint32_t i)
{
	return *word(page, i);
}

void page_write(struct pfn page, uint32_t i, uint64_t value)
{
	/* One store of 64 bits: a walker sees all of a descriptor or nothing [ArmARM, D8.2.6]. */
	*(volatile uint64_t *)word(page, i) = value;
}

/* Once and whole: the compiler may neither repeat nor split it. */
uint64_t host_read(struct pfn page, uint32_t i)
{
	return *(volatile uint64_t *)word(page, i);
}

void host_write(struct pfn page, uint32_t i, uint64_t value)
{
	*(volatile uint64_t *)word(page, i) = value;
}

void page_zero(struct pfn page)
{
	uint64_t at = address_of_page(page.n);
	uint64_t end = at + NIE_PAGE_SIZE;
	uint64_t dczid = mrs("dczid_el0");
	uint64_t size = 4ULL << (dczid & 15);

	/* DZP: DC ZVA is prohibited. */
	if ((dczid >> 4 & 1) != 0) {
		for (; at < end; at += 8)
			*(volatile uint64_t *)at = 0;
		return;
	}
	for (; at < end; at += size)
		__asm__ volatile("dc zva, %0" : : "r"(at) : "memory");
}

void page_clean(struct pfn page)
{
	uint64_t at = address_of_page(page.n);
	uint64_t end = at + NIE_PAGE_SIZE;
	uint64_t line = 4ULL << field(mrs("ctr_el0"), 16);

	for (; at < end; at += line)
		__asm__ volatile("dc civac, %0" : : "r"(at) : "memory");
	/* To the point of coherency, which may lie beyond the inner shareable domain. */
	__asm__ volatile("dsb sy" : : : "memory");
}

void ic_invalidate(void)
{
	__asm__ volatile("ic ialluis\n\tdsb ish\n\tisb" : : : "memory");
}

uint64_t manifest_read(uint32_t i)
{
	return manifest[i];
}

uint64_t counter_read(void)
{
	/* Else the counter may be read early [ArmARM, D12.1.2]. */
	isb();
	return mrs("cntpct_el0");
}

static uint64_t gicr(uint32_t cpu, uint32_t offset)
{
	return address_of_page(manifest_read(MAN_GICR) + 32 * (uint64_t)cpu) + offset;
}

uint64_t gicr_read(uint32_t cpu, uint32_t offset, uint32_t width)
{
	if (width == 8)
		return *(volatile uint64_t *)gicr(cpu, offset);
	return *(volatile uint32_t *)gicr(cpu, offset);
}

void gicr_write(uint32_t cpu, uint32_t offset, uint32_t value)
{
	*(volatile uint32_t *)gicr(cpu, offset) = value;
}

/*
 * Whoever finds it free takes it. A queue would be fair, but each turn would wait for one certain CPU: where
 * CPUs are themselves scheduled (an emulator, a nested machine) that CPU may not run for a long time.
 */
static uint32_t locked;

void engine_lock(void)
{
	while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE) != 0) {
		/* Read only, so that the line stays shared until it is free. */
		while (__atomic_load_n(&locked, __ATOMIC_RELAXED) != 0)
			__asm__ volatile("yield");
	}
}

void engine_unlock(void)
{
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

void dsb_ish(void)
{
	__asm__ volatile("dsb ish" : : : "memory");
}

void isb(void)
{
	__asm__ volatile("isb" : : : "memory");
}

/* A table of nothing, so that no walk can succeed while VTTBR_EL2 names another VMID. */
static uint64_t empty_table[512] __attribute__((aligned(4096)));

/* Make VTTBR_EL2 name the VMID: the operations below are by it [ArmARM, D8.17.5]. Returns what it was. */
static uint64_t vmid_select(uint32_t vmid)
{
	uint64_t vttbr = mrs("vttbr_el2");

	if (vttbr >> 48 != vmid) {
		msr("vttbr_el2", (uint64_t)vmid << 48 | (uint64_t)empty_table);
		isb();
	}
	return vttbr;
}

static void vmid_restore(uint64_t vttbr, uint32_t vmid)
{
	if (vttbr >> 48 != vmid) {
		msr("vttbr_el2", vttbr);
		isb();
	}
}

void tlbi_vmid(uint32_t vmid)
{
	uint64_t vttbr = vmid_select(vmid);

	/*
	 * Twice: on many cores the first DSB does not wait for stores of other CPUs through the entries that are
	 * gone, the second does (Arm's erratum 4118414 and its kin, CVE-2025-10263). The core has the second DSB.
	 */
	__asm__ volatile("tlbi vmalls12e1is\n\tdsb ish\n\ttlbi vmalls12e1is" : : : "memory");
	vmid_restore(vttbr, vmid);
}

void tlbi_vmid_local(uint32_t vmid)
{
	uint64_t vttbr = vmid_select(vmid);

	__asm__ volatile("tlbi vmalls12e1" : : : "memory");
	vmid_restore(vttbr, vmid);
}

uint64_t firmware_call(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	register uint64_t r0 __asm__("x0") = function;
	register uint64_t r1 __asm__("x1") = x1;
	register uint64_t r2 __asm__("x2") = x2;
	register uint64_t r3 __asm__("x3") = x3;

	/* x4-x17 may change [DEN0028, SMCCC 1.0, 2.5]. */
	__asm__ volatile("smc #0"
			 : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3)
			 :
			 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
			   "x15", "x16", "x17", "memory");
	return r0;
}

uint64_t firmware_cpu_on(uint32_t cpu)
{
	enum { PSCI_CPU_ON = 0xc4000003 };

	/* The CPU comes up uncached: it reads what head.S needs from registers and the text alone. */
	return firmware_call(PSCI_CPU_ON, cpu, (uint64_t)secondary, cpu);
}
