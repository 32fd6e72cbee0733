/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host sees, written down in its own memory for test/isolation/run: a header (kind << 32 | words), then
 * the words; 0 ends it. Each CPU has a record of its own.
 */
#ifndef TEST_ISOLATION_OBSERVE_H
#define TEST_ISOLATION_OBSERVE_H

#include "../qemu/host.h"
#include "guests.h"

#pragma GCC visibility push(hidden)

enum {
	RECORD = 0x46000000,
	RECORD_BYTES = 8 << 20, /* of one CPU */
};
enum note {
	NOTE_STEP = 1, /* number, kind of step, three details */
	NOTE_CALL = 2, /* x0..x30 as they went in */
	NOTE_SEEN = 3, /* struct seen */
	NOTE_RUN = 4,  /* VM, vCPU's record up to RUN_OUT_END */
	NOTE_PAGE = 5, /* address, ESR_EL1 of a load there, a digest of its words */
	NOTE_MAP = 6,  /* a bit for each page of RAM: the host can load it */
};

/* After a call: x0..x30, vectors, FPCR, FPSR, and the registers of host_list. */
struct seen {
	uint64_t x[32], v[64], fpcr, fpsr, sysreg[LIST_MAX];
} __attribute__((aligned(16)));
extern struct list host_list;
extern uint64_t host_look;

void observe_start(void);
void note(uint32_t cpu, uint32_t kind, const void *words, uint64_t count);
/* HVC or SMC with x0..x6, the rest as `noise` says: all registers are noted. Returns them. */
const struct seen *observed(uint32_t cpu, bool by_smc, const uint64_t x[7], uint64_t noise);
void note_run(uint32_t cpu, uint64_t vm, uint64_t run);
void note_page(uint32_t cpu, uint64_t address);
/* A bit for each page of RAM; the record ends with it. */
void note_map(void);

#pragma GCC visibility pop
#endif
