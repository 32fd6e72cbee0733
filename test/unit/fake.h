/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine for engine/core to run on: physical memory, what each VMID could have cached of its
 * translation, each CPU's registers, and firmware. It is as unkind as the manual allows: whatever
 * a walker might have cached is cached, and only a TLBI that follows a DSB and is followed by one
 * removes it. A use that breaks an obligation of prim.h is recorded as a violation.
 */
#ifndef TEST_UNIT_FAKE_H
#define TEST_UNIT_FAKE_H

#include "../../engine/core/core.h"
#include "../../engine/core/prim.h"
#include "../../engine/core/stage2.h"
#include "../../engine/core/state.h"

/* The machine of most tests, in pages: 12 MiB of RAM, the engine in the second 2 MiB. */
enum {
	RAM_BASE = 0x40000,
	RAM_PAGES = 6 * 512,
	ENGINE_BASE = RAM_BASE + 512,
	TABLES = ENGINE_BASE + 256,
	KEEP_BASE = RAM_BASE + 1024,
	KEEP_PAGES = 16,
	GICD = 0x8000,
	GICR = 0x80a0,
	UART = 0x9000,
	FAKE_CPUS = 4,
	VMIDS = NIE_MAX_VMS + 1,
};

/* Everything as before the engine starts: arbitrary memory and registers, a good manifest. */
void fake_reset(void);
extern uint64_t fake_manifest[MAN_END];

/* Violations since fake_reset; each is printed once. */
extern uint32_t fake_violations;
void violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The CPU on which the core runs; set before each entry. */
extern uint32_t fake_cpu;
extern uint64_t fake_reg[NIE_MAX_CPUS][REG_COUNT];
extern uint64_t fake_fp[NIE_MAX_CPUS][66];
extern uint64_t fake_counter;
extern bool fake_locked;

/* Memory as software below sees it: no obligation, no trace. */
uint64_t peek(uint64_t page, uint32_t i);
void poke(uint64_t page, uint32_t i, uint64_t value);
bool page_is_zero(uint64_t page);

/* A write that the host makes between the engine's first and second read of its memory. */
void fake_race(uint64_t page, uint32_t i, uint64_t value);

/* How often each primitive was used since fake_count_reset(). */
struct fake_counts {
	uint32_t changes; /* uses that change memory, translation or a register */
	uint32_t tlbi;
	uint32_t tlbi_local;
	uint32_t ic;
	uint32_t firmware;
	uint32_t host_reads;
};
extern struct fake_counts fake_counts;

/* What the core was given that its state does not determine, in order. */
enum input_kind { INPUT_HOST, INPUT_MANIFEST, INPUT_COUNTER, INPUT_GICR, INPUT_FIRMWARE };
struct input {
	enum input_kind kind;
	uint64_t where;
	uint64_t value;
};
enum { INPUTS = 4096 };
extern struct input fake_inputs[INPUTS];
extern uint32_t fake_inputs_used;

/* Firmware: the last call and the answers to give. */
extern uint64_t firmware_last[4];
extern uint64_t firmware_answer;
extern uint64_t firmware_on_answer;
/* Redistributors: the first 32 words of 64 bits of each first page. */
extern uint64_t fake_gicr[NIE_MAX_CPUS][32];

/* tlb.c: hooks of the memory, and the state for checks. */
typedef unsigned __int128 vmids;
struct meta {
	vmids reach;   /* VMIDs with a walk or a cached entry that ends here */
	vmids walk;    /* VMIDs that may walk it as a table */
	vmids exec;    /* of reach: those that may execute */
	vmids icached; /* VMIDs that may have fetched instructions from it since the last IC */
	uint64_t base; /* as a table: IPA page of entry 0 */
	uint32_t level;
	uint32_t owner; /* VMID + 1 of the last that reached it, 0 after the engine wrote it */
	bool clean;     /* cleaned to the point of coherency since it was written */
};
extern struct meta meta[RAM_PAGES];
void tlb_reset(void);
void tlb_store(uint64_t page, uint32_t i, uint64_t old, uint64_t value);
void tlb_root(uint32_t vmid, uint64_t root);
bool tlb_lookup(uint32_t vmid, uint64_t ipa_page, uint64_t *page, uint32_t *level);
void tlb_each(void (*visit)(uint32_t vmid, uint64_t ipa, uint64_t page, uint32_t level));
void tlb_dsb(void);
/* The vCPU that is about to run here may find no private entries of another vCPU of its VM. */
void tlb_resume(uint32_t cpu, uint32_t vm, uint32_t vcpu);
void tlb_ic(void);

static inline bool is_ram(uint64_t page)
{
	return page >= RAM_BASE && page < RAM_BASE + RAM_PAGES;
}

#endif
