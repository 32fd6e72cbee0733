/* SPDX-License-Identifier: Apache-2.0 */
/* All state of the engine but the tables and contexts that live in donated pages. Protected by the lock. */
#ifndef NIE_STATE_H
#define NIE_STATE_H

#include "../../abi/manifest.h"
#include "../../abi/nie.h"
#include "sysreg.h"
#include "types.h"

/* 8 GiB of RAM at most in this build; the table's length is MAN_RAM_PAGES. */
enum { GRANULES_MAX = 2097152 };

/* clang-format off */
enum granule_state {
	GRANULE_HOST,   /* the host's; no VM reaches it */
	GRANULE_ENGINE, /* the engine's image, stacks, tables */
	GRANULE_TABLE,  /* a stage-2 table of vm: level, key = IPA >> cover(level) */
	GRANULE_VCPU,   /* the saved context of a vCPU: key = index */
	GRANULE_DATA,   /* vm's alone: key = IPA page number */
	GRANULE_SHARED, /* vm's and the host's: key = IPA page number */
	GRANULE_RUN,    /* run record of a vCPU: key = index; the host's and the engine's */
};

/*
 * I-OWN: granules[p] = (DATA|SHARED)(vm, ipa) exactly when the walk of vm at ipa ends at p, and
 * TABLE(vm, level, key) exactly when p is that node of vm's tree.
 */
struct granule {
	uint8_t state; /* enum granule_state */
	uint8_t vm;
	uint8_t level; /* of a TABLE: 1..3; else 0 */
	uint8_t zero;
	uint32_t key;
};

/* I-VM: FREE means that every other field is 0 and no granule names the VM. */
struct vm {
	uint64_t root;      /* page number of the level 1 table */
	uint64_t ram_base;  /* RAM window: first IPA page */
	uint64_t ram_pages;
	uint64_t cntvoff;   /* CNTVOFF_EL2 while a vCPU of it runs */
	uint64_t granules;  /* how many granules name it */
	uint64_t hashed;    /* bytes of the build log hashed so far; a multiple of 64 */
	uint32_t hash[8];   /* SHA-256 state; the measurement once ACTIVE */
	uint32_t state;     /* enum nie_vm_state */
	uint32_t vcpus;     /* how many it was created with */
	uint32_t running;   /* how many are RUNNING */
	uint32_t created;   /* how many contexts exist */
};

enum vcpu_state { VCPU_NONE, VCPU_OFF, VCPU_READY, VCPU_RUNNING };
enum pending { PENDING_NONE, PENDING_READ, PENDING_WRITE, PENDING_CALL };

struct vcpu {
	uint64_t context;   /* page number of the saved context */
	uint64_t run;       /* page number of the run record */
	uint32_t state;     /* enum vcpu_state */
	uint32_t cpu;       /* where it is RUNNING */
	uint32_t pending;   /* enum pending: what the last exit asks the host for */
	uint32_t syndrome;  /* ISS of a pending MMIO access */
};

/* Word numbers in a context page; the rest of the page stays zero. */
enum context_word {
	CTX_X0 = 0,
	CTX_SYSREG = 32,                           /* REG_SWITCHED of them */
	CTX_ICH = 80,                              /* VMCR, AP0R0, AP1R0 in the order of enum sysreg */
	CTX_ICH_COUNT = 3,
	CTX_VDISR = 88,
	CTX_FP = 128,                              /* 66 words */
};

/* No VM: the CPU runs the host. */
enum { CPU_HOST = 255 };

struct cpu {
	uint64_t x[31];                     /* of the running context: the vectors save and load them */
	uint64_t host_x[31];                /* the host's while a vCPU runs here */
	uint64_t host_sysreg[REG_SWITCHED]; /* likewise */
	uint64_t in[RUN_IN_END];            /* what the host wrote in the run record, read once */
	uint64_t entry;                     /* where the host wants this CPU to start, and its x0 */
	uint64_t argument;
	uint32_t vm;                        /* CPU_HOST, or the VM whose vCPU runs here */
	uint32_t vcpu;
	uint32_t started;                   /* CPU_ON was accepted */
	uint32_t zero;
};

/* Which vCPU of a VM was last on a CPU, plus 1: another one must not use its TLB entries. */
struct last {
	uint8_t vcpu[NIE_MAX_CPUS];
};

struct config {
	uint64_t word[MAN_END]; /* the manifest, read once and checked */
};

/* clang-format on */
extern struct granule granules[GRANULES_MAX];
extern struct vm vms[NIE_MAX_VMS];
extern struct vcpu vcpus[NIE_MAX_VMS * NIE_MAX_VCPUS]; /* vm * NIE_MAX_VCPUS + index */
extern struct last lasts[NIE_MAX_VMS];
extern struct cpu cpus[NIE_MAX_CPUS];
extern struct config config;

#endif
