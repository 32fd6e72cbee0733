/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of nie.ko share: a VM, a vCPU, and who may touch what. */
#ifndef NIE_H
#define NIE_H

#include <linux/bitmap.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include "call.h"
#include "nie_uapi.h"
#include "vgic.h"

#define NIE_BLOCK_PAGES 512
#define NIE_BLOCK_ORDER 9

/*
 * 2 MiB of a VM's RAM. A page with its bit in `owned` is the engine's: Linux neither touches nor frees it
 * until PAGE_REMOVE gave it back. No page of it is ever mapped to user space.
 */
struct nie_chunk {
	struct page *block; /* of NIE_BLOCK_ORDER; or NULL: single pages in `page` */
	struct page **page;
	struct page *table; /* level 3; the engine's when not NULL */
	struct page *spare; /* of a chunk given as one block: for the table that will split it */
	DECLARE_BITMAP(loaded, NIE_BLOCK_PAGES);
	DECLARE_BITMAP(owned, NIE_BLOCK_PAGES);
};

struct nie_vcpu;

struct nie_vm {
	struct kref ref; /* one for each descriptor */
	u32 index;       /* the engine's name of it */
	u32 vcpus;
	char name[NIE_NAME_MAX];
	pid_t pid;
	u64 ram_base;
	u64 ram_size;

	struct mutex lock; /* building and ending: what follows, up to `stopped` */
	struct page *root; /* the engine's */
	struct page **level2;
	u32 level2_count;
	struct nie_chunk *chunk;
	u32 chunks;
	struct nie_vcpu *vcpu[NIE_MAX_VCPUS];
	bool active;
	bool ended; /* the engine has nothing of it any more, but for what is `lost` */
	bool lost;
	bool stopped; /* set once; read without the lock */

	raw_spinlock_t gic_lock; /* taken with interrupts off */
	struct vgic gic;
	atomic64_t exits[NIE_EXIT_REASONS];
};

struct nie_vcpu {
	struct nie_vm *vm;
	u32 index;
	struct page *context;         /* the engine's */
	struct page *record;          /* the engine's and ours */
	u64 *run;       /* the record's words */
	struct nie_vcpu_state *state; /* a page that the monitor maps */
	struct mutex lock;            /* one thread in RUN */

	bool answer;    /* the last exit asks for an answer */
	bool from_user; /* and the monitor gives it in state->answer */
	u64 x[4];       /* else it is here */

	/* Who is between the checks before an entry and the exit, to be kicked; and was already kicked. */
	struct task_struct *guest;
	bool kicked;
	u32 turned_on; /* how often PSCI CPU_ON named it */
	wait_queue_head_t wait;

	u64 timer_control; /* CNTV_CTL_EL0 at the last exit */
	u64 timer_deadline; /* in ticks of the physical counter */
	struct hrtimer timer;
};

/* main.c: a slot of the table of VMs. EEXIST: the name is in use; ENOSPC: no slot. */
int nie_slot_take(struct nie_vm *vm);
void nie_slot_give(struct nie_vm *vm);
/* The VM in slot `index` with a reference, or NULL. */
struct nie_vm *nie_vm_get(u32 index);

/* vm.c */
int nie_vm_create(const struct nie_create_vm *args);
void nie_vm_put(struct nie_vm *vm);
void nie_vm_stop(struct nie_vm *vm);
/* Stop it and take everything back, while descriptors of it may still be open. Done twice is no error. */
void nie_vm_end(struct nie_vm *vm);
void nie_vm_info(struct nie_vm *vm, struct nie_vm_info *info);

/* memory.c: called with vm->lock held. take_back returns false when the engine kept something. */
int nie_memory_init(struct nie_vm *vm);
int nie_memory_load(struct nie_vm *vm, const struct nie_load *load);
int nie_memory_give(struct nie_vm *vm);
bool nie_memory_take_back(struct nie_vm *vm);

/* vcpu.c: create with vm->lock held, returns a descriptor; take_back false when the engine kept something. */
int nie_vcpu_create(struct nie_vm *vm, const struct nie_create_vcpu *args);
bool nie_vcpu_take_back(struct nie_vcpu *v);
void nie_vcpu_free(struct nie_vcpu *v);

/* run.c */
int nie_vcpu_run(struct nie_vcpu *v);
/* Wake or kick each vCPU whose bit is set in `mask`. Not in interrupt context. */
void nie_notify(struct nie_vm *vm, u32 mask);
u32 nie_irq_line(struct nie_vm *vm, u32 cpu, u32 intid, bool level);

/* After an exit, where nothing may sleep: true when it is served. */
bool nie_serve_at_once(struct nie_vcpu *v);

/* enter.c: run the vCPU until an exit that is left to serve: NIE_OK; a refusal; or NOT_ENTERED: try again. */
#define NIE_NOT_ENTERED (~0ULL)
u64 nie_enter(struct nie_vcpu *v);

/* timer.c: the virtual timer and the two interrupts from the `nie` node of the device tree. */
int nie_timer_init(void);
void nie_timer_exit(void);
void nie_timer_setup(struct nie_vcpu *v);
bool nie_timer_due(const struct nie_vcpu *v);
/* The same as the input line of interrupt 27. Called with gic_lock held. */
void nie_timer_update(struct nie_vcpu *v);
/* From here to disarm, the deadline wakes the vCPU. */
void nie_timer_arm(struct nie_vcpu *v);
void nie_timer_disarm(struct nie_vcpu *v);
/* Before an entry and after the exit, interrupts off: the active state of physical 27 on this CPU. */
void nie_timer_before(bool due, const u64 lr[VGIC_LRS]);
void nie_timer_after(const u64 given[VGIC_LRS], const u64 left[VGIC_LRS]);

#endif
