/* SPDX-License-Identifier: Apache-2.0 */
/* What engine/arch calls in the core: four entries, each a run to completion. */
#ifndef NIE_CORE_H
#define NIE_CORE_H

#include <stdbool.h>
#include <stdint.h>

enum trap_kind { TRAP_SYNC, TRAP_IRQ, TRAP_FIQ, TRAP_SERROR };
enum trap_result {
	TRAP_RESUME,  /* load x0-x30 from cpus[cpu].x and ERET */
	TRAP_CPU_OFF, /* the host turned this CPU off: PSCI CPU_OFF, never comes back */
};
/* clang-format off */
enum boot_result {
	BOOT_OK,
	BOOT_BAD_MAGIC,   /* the manifest was not filled in */
	BOOT_BAD_RAM,     /* RAM is misaligned, empty, or more than GRANULES_MAX */
	BOOT_BAD_ENGINE,  /* the engine's range is misaligned, outside RAM, or too small for its tables */
	BOOT_BAD_CPUS,    /* no CPU or more than NIE_MAX_CPUS */
	BOOT_BAD_DEVICES, /* a device window that overlaps RAM, is above 1 GiB, or holds a withheld page */
	BOOT_BAD_HOST,    /* entry or device tree outside the RAM that is kept for the host */
};
/* clang-format on */

/*
 * On the first CPU, once, lock not needed: check the manifest, scrub RAM that is nobody's, fill the
 * granule table and the host's stage 2. Returns enum boot_result; nothing runs unless BOOT_OK.
 */
uint32_t boot(void);
/* On each CPU when it starts: set EL2's controls and the host context that begins there. */
void cpu_start(uint32_t cpu);
/*
 * An exception from EL1 or EL0 on `cpu`, x0-x19, x29 and x30 saved in cpus[cpu].x. True: it is served, and the
 * context resumes with those registers and its own x20-x28. False: nothing has changed; trap() is next.
 */
bool quick(uint32_t cpu, uint32_t kind);
/*
 * An exception from EL1 or EL0 on `cpu`, x0-x30 saved in cpus[cpu].x. Returns enum trap_result; the context
 * to resume is then in cpus[cpu].x, ELR_EL2, SPSR_EL2 and the registers that the core wrote.
 */
uint32_t trap(uint32_t cpu, uint32_t kind);

#endif
