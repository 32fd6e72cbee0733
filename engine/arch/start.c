/* SPDX-License-Identifier: Apache-2.0 */
/* The way from head.S to the core, on the first CPU and on the others. */
#include "arch.h"

/* MPIDR_EL1: Aff3, Aff2, Aff1, Aff0. */
#define AFFINITY 0xff00ffffffULL

_Static_assert(__builtin_offsetof(struct cpu, x) == 0, "vectors.S: TPIDR_EL2 points at x0");
_Static_assert(STACKS >= NIE_MAX_CPUS, "each CPU has a stack");
_Static_assert(TRAP_RESUME == 0, "vectors.S: anything else turns the CPU off");
_Static_assert(TRAP_SYNC == 0 && TRAP_IRQ == 1 && TRAP_FIQ == 2 && TRAP_SERROR == 3, "vectors.S");

/* First CPU, MMU off. */
void start_uncached(void)
{
	cpu_check();
	mmu_build();
}

/* By enum boot_result. Arrays, not pointers: addresses would need relocating. */
static const char boot_cause[][80] = {
	[BOOT_BAD_MAGIC] = "the manifest was not filled in",
	[BOOT_BAD_RAM] = "the manifest's RAM is misaligned, too low, empty or too large",
	[BOOT_BAD_ENGINE] = "the manifest's engine range is misaligned, outside RAM or too small",
	[BOOT_BAD_CPUS] = "the manifest has no CPU or too many",
	[BOOT_BAD_DEVICES] = "a device window of the manifest is outside the device span",
	[BOOT_BAD_HOST] = "the host's entry or device tree is outside what is kept for the host",
};

static void banner(void)
{
	uart_init();
	uart_text("nie: engine at ");
	uart_hex((uint64_t)image_start);
	uart_text(", ");
	uart_decimal(manifest_read(MAN_RAM_PAGES));
	uart_text(" granules, ");
	uart_decimal(manifest_read(MAN_CPUS));
	uart_text(" CPUs\n");
}

/* First CPU, MMU on; head.S resumes the context in cpus[cpu] afterwards. */
void start_primary(uint32_t cpu)
{
	uint64_t affinity = mrs("mpidr_el1") & AFFINITY;

	if (affinity != cpu)
		panic_numbers("started on another CPU than the first; affinity, must be:", affinity,
			      cpu);
	cpu_reset(cpu);

	uint32_t result = boot();

	if (result != BOOT_OK)
		panic(boot_cause[result]);
	banner();
	cpu_start(cpu);
}

void start_secondary(uint32_t cpu)
{
	cpu_check();
	cpu_reset(cpu);
	cpu_start(cpu);
}
