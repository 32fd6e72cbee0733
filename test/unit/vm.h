/* SPDX-License-Identifier: Apache-2.0 */
/* The host's and the VMs' side of the fake machine: calls, exceptions, and VMs ready made. */
#ifndef TEST_UNIT_VM_H
#define TEST_UNIT_VM_H

#include "check.h"

/* Addresses in bytes. Pages of the host that nothing else uses: */
#define PA(n) (((uint64_t)RAM_BASE + 1536 + (n)) << 12)
/* The RAM window of all VMs here: 16 MiB at 1 GiB; SHARED pages from 256 GiB on. */
#define IPA(n)    (0x40000000ULL + ((uint64_t)(n) << 12))
#define SHARED(n) ((1ULL << 38) + ((uint64_t)(n) << 12))
enum { WINDOW_PAGES = 4096, ALL_ONES = -1 };

/* The machine booted, CPU 0 in the host. */
void start(void);

/* An exception taken to EL2 on `cpu`; afterwards the invariants hold. */
uint32_t take(uint32_t cpu, uint32_t kind, uint64_t esr);
/* How many of them quick() served. */
extern uint32_t quick_served;
/* HVC or SMC with x0..x6; returns x0. */
uint64_t hvc(uint32_t cpu, uint64_t x0, const uint64_t args[6]);
uint64_t smc(uint32_t cpu, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);
/* Stage 2 translation fault on a data access, level 3, at ipa. */
void data_abort(uint32_t cpu, uint64_t ipa, uint64_t iss);

/*
 * VM `vm` of `count` vCPUs, BUILDING, with the pages it needs: root PA(64*vm), tables +1, +2 (level 2 and 3 of
 * the RAM window's first 2 MiB), +3, +4 (of SHARED(0)), contexts +8 on, run records +16 on.
 */
void build(uint32_t vm, uint32_t count);
#define ROOT(vm)       PA(64 * (vm))
#define CONTEXT(vm, k) PA(64 * (vm) + 8 + (k))
#define RUN(vm, k)     PA(64 * (vm) + 16 + (k))
/* The same, its vCPUs created and ACTIVE, a measured page at IPA(0) from PA(64*vm + 32) and a zero page at IPA(1). */
void active(uint32_t vm, uint32_t count);
#define CODE(vm) PA(64 * (vm) + 32)
#define ZERO(vm) PA(64 * (vm) + 33)

/* Enter a vCPU on a CPU; returns NIE_OK when it runs there. */
uint64_t run(uint32_t cpu, uint64_t vm, uint64_t vcpu);
/* A physical interrupt takes it out. */
void kick(uint32_t cpu);
/* Words of its run record. */
uint64_t out(uint32_t vm, uint32_t vcpu, uint32_t word);
void in(uint32_t vm, uint32_t vcpu, uint32_t word, uint64_t value);

static inline uint64_t *reg(uint32_t cpu, uint32_t r)
{
	return &fake_reg[cpu][r];
}

#endif
