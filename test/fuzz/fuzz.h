/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzing host: all CPUs issue calls at once, from valid to wild, while VMs run. Between batches no call is under
 * way, and CPU 0 compares the engine with what the calls that succeeded add up to.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "../qemu/vm.h"

#pragma GCC visibility push(hidden)

enum {
	ARENA = 0x45000000, /* what may be donated; 2 MiB blocks first */
	BLOCKS = 2,
	ARENA_PAGES = 2048,
	RECORDS = ARENA + (ARENA_PAGES - 64) * PAGE, /* run records come from here alone */
	RAM_PAGES = RAM_BYTES / PAGE,
	OPS_MAX = 512,     /* operations of one CPU in one batch */
	BATCHES_MAX = 4096,
	VICTIMS = 2,       /* VMs 0 and 1: never ended by the host, checked without exception */
	WORKERS = 6,       /* VMs below run the worker, those from here on the hostile program */
	CHECKED = 256, /* pages of a worker's window before this one are its code, stack and data */
};

/* What tools/cmd/fuzz writes into the image after the mark. */
struct params {
	char mark[16];
	uint64_t seed;
	uint64_t batches;
	uint64_t ops; /* of each CPU in each batch */
	uint64_t slice; /* nanoseconds until the emulator goes to the next CPU; 0: it does not */
	uint64_t cpus; /* one bit a CPU that works; CPU 0 always checks */
	uint64_t skip_batch[BATCHES_MAX / 64];
	uint64_t skip_op[CPUS][OPS_MAX / 64]; /* in every batch */
};
extern const volatile struct params params;

/* A word that the host writes everywhere, and the mark of a VM's secret: its upper 16 bits. */
#define HOST_MARK   0xb057b057b057b057ULL
#define SECRET_MARK 0x5ec4ULL

enum { PACE = 64 }; /* entries, at most, that a victim needs to report */
enum { FUNCTIONS = NIE_CALL_END - NIE_VERSION, STATUSES = 24, EXITS = 13, RING = 12 };
struct call {
	uint64_t function, a[6], status, x1;
};
struct worker {
	uint64_t random;
	uint32_t cpu;
	uint64_t count; /* calls */
	uint64_t status[FUNCTIONS + 1]
		       [STATUSES]; /* the last function stands for the unknown ones */
	uint64_t exits[EXITS], smcs, probes, pace;
	struct call ring[RING]; /* the last calls, for the report of a failure */
};
extern struct worker workers[CPUS];

extern uint64_t batch; /* its number */

/* report.c. Random numbers: the same for the same seed, batch, CPU and operation, whatever the others do. */
void random_start(struct worker *w, uint64_t batch, uint64_t op);
uint64_t next(struct worker *w);
uint64_t below(struct worker *w, uint64_t n);
bool chance(struct worker *w, uint64_t percent);

/* Prints the last calls of every CPU and ends the boot as failed. */
_Noreturn void broken(struct worker *w, const char *what, uint64_t is, uint64_t want);

/* One line a number, for tools/cmd/fuzz. */
void print_count(const char *what, uint64_t a, uint64_t b, uint64_t count);
void print_counts(void);

/* args.c: arguments, from likely to wild. */
uint64_t pick_vm(struct worker *w);
uint64_t pick_free_page(struct worker *w);
uint64_t pick_argument(struct worker *w, uint64_t function, uint32_t i);
/* What must not be asked, since the host would saw off its own branch or make a worker's check meaningless. */
bool permitted(struct worker *w, uint64_t function, const uint64_t a[6]);

/* model.c: who owns what, as a sum over the calls that succeeded. */
enum owner { OWN_HOST, OWN_ROOT, OWN_TABLE, OWN_CONTEXT, OWN_DATA, OWN_SHARED, OWN_RUN, OWN_END };
#define TAG(kind, vm, x) ((uint64_t)(kind) << 56 | (uint64_t)(vm) << 48 | (x))
extern uint64_t owners[RAM_PAGES];
void model_victims(void);
void model_apply(struct worker *w, const struct call *c, const struct answer *r);
/* A page whose owner was the VM when it was looked at, from a random one on; RAM_PAGES: none. */
uint64_t model_find(struct worker *w, uint64_t vm);
void model_check(struct worker *w, bool all);

/* life.c: calls that lead somewhere. */
struct call advance(struct worker *w, uint64_t vm);
struct call enter_some(struct worker *w);
struct call take(uint64_t page);
void state_seen(struct worker *w, const struct call *c);
void reap(struct worker *w, uint64_t vm);
void vcpu_created(const struct call *c);

/* pressure.c: pages change hands while they are in use. */
void hold(struct worker *w);
void rob(struct worker *w);
uint64_t pick_bait(void);
void return_begins(const struct call *c);
void return_ends(const struct call *c);

/* vcpu.c: enter a vCPU, judge what comes out. */
extern uint64_t records[NIE_MAX_VMS][NIE_MAX_VCPUS];
void run_vcpu(struct worker *w, uint64_t vm, uint64_t vcpu);
/* Around each call that enters a vCPU or moves its record. Nobody else was at it: a number; else 0. */
uint64_t epoch_start(uint64_t vm, uint64_t vcpu);
void epoch_end(uint64_t vm, uint64_t vcpu);
/* What came in host_call's registers from a VM of workers: x2 is wrong at x3. */
enum { REPORT_BAD = 0xbad };
guest_program guest_worker, guest_hostile;

/* main.c: make a call, count it, add it up. */
struct answer make_call(struct worker *w, const struct call *c);
void slice(struct worker *w);

/* access.S. Compare the 512 words from `word` on with 0 and HOST_MARK: 0 all are, 1 the last one in *found is not,
 * 2 the page is not readable. */
uint64_t page_scan(uint64_t page, uint64_t first_word, uint64_t *found);
/* ESR_EL1 of the fault or 0. */
uint64_t page_copy(uint64_t to, uint64_t from, uint64_t bytes);
/* VCPU_RUN with a pattern in every register of the host; *wrong counts those that are not as they were. */
uint64_t run_with_pattern(uint64_t vm, uint64_t vcpu, uint64_t pattern, uint64_t *wrong);

#pragma GCC visibility pop
#endif
