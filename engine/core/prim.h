/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The primitives: everything that the core cannot say in the provable subset. engine/arch implements
 * them on the machine, model/ gives their meaning, test/unit fakes them. Each header comment states the
 * obligation that the proof must discharge at every use.
 */
#ifndef NIE_PRIM_H
#define NIE_PRIM_H

#include "types.h"

/* Pages that the engine alone can reach (ENGINE, TABLE, VCPU); i is a word number 0..511. */
uint64_t page_read(struct pfn page, uint32_t i);
void page_write(struct pfn page, uint32_t i, uint64_t value);

/* Zero a page. Obligation: no walk and no TLB entry of the host or a VM reaches it. */
void page_zero(struct pfn page);
/* Clean and invalidate to the point of coherency [ArmARM, D7.5.9]: other observers may be non-cacheable. */
void page_clean(struct pfn page);

/* Pages that the host can write meanwhile: any value at each read. Obligation: state HOST, SHARED or RUN. */
uint64_t host_read(struct pfn page, uint32_t i);
void host_write(struct pfn page, uint32_t i, uint64_t value);

/* Registers that nothing else describes: a word of the manifest, the counter, a redistributor's first page. */
uint64_t manifest_read(uint32_t i);
uint64_t counter_read(void);
uint64_t gicr_read(uint32_t cpu, uint32_t offset, uint32_t width);
void gicr_write(uint32_t cpu, uint32_t offset, uint32_t value);

/* The one lock around the core. */
void engine_lock(void);
void engine_unlock(void);

/* Descriptor stores become visible to walkers [ArmARM, D8.2.6]; complete at the barrier. */
void dsb_ish(void);
void isb(void);
/* Invalidate all stage 1 and 2 entries of a VMID on all CPUs (TLBI VMALLS12E1IS); done at dsb_ish. VMID 0 is the host. */
void tlbi_vmid(uint32_t vmid);
/* The same on this CPU only. */
void tlbi_vmid_local(uint32_t vmid);
/* IC IALLUIS, complete on return: instructions of a page's last owner are not executed by the next. */
void ic_invalidate(void);

/* One register of this CPU, by enum sysreg of sysreg.h. */
uint64_t sysreg_read(uint32_t reg);
void sysreg_write(uint32_t reg, uint64_t value);

/* V0-V31, FPCR, FPSR: 66 words from word i of an engine page. fp_zero clears them. */
void fp_save(struct pfn page, uint32_t i);
void fp_load(struct pfn page, uint32_t i);
void fp_zero(void);

/* Firmware by SMC: the answer is x0. */
uint64_t firmware_call(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);
/* Ask the firmware to start CPU `cpu` in the engine (PSCI CPU_ON): its answer. */
uint64_t firmware_cpu_on(uint32_t cpu);

#endif
