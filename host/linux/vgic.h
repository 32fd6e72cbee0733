/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A GICv3 for one VM: distributor, redistributors and software-generated interrupts in plain C, no
 * LPIs, one security state (GICD_CTLR.DS = 1), affinity routing always on, all interrupts in group 1.
 * The CPU interface is the hardware's: interrupts reach it through list registers (vgic_flush before
 * an entry, vgic_fold after an exit). The caller holds one lock a VM around each function.
 *
 * vCPU i has affinity 0.0.0.i. Functions that return a mask say which vCPUs (bit i) have something new to
 * look at: wake those that wait, kick those that run. [Arm IHI 0069H]
 */
#ifndef NIE_VGIC_H
#define NIE_VGIC_H

#include "vgic_port.h"

enum vgic_limit {
	VGIC_CPUS = 8,
	VGIC_LRS = 4,
	VGIC_BANKS = 3, /* of 32 interrupts: 0 is each vCPU's own SGIs and PPIs, then SPIs */
	VGIC_INTIDS = 32 * VGIC_BANKS,
	VGIC_VTIMER = 27, /* the virtual timer, backed by physical 27 */
};

/* ICH_LR<n>_EL2 and ICH_HCR_EL2. */
#define LR_PENDING      BIT_ULL(62)
#define LR_ACTIVE       BIT_ULL(63)
#define LR_HW           BIT_ULL(61)
#define LR_GROUP1       BIT_ULL(60)
#define LR_EOI          BIT_ULL(41) /* maintenance interrupt at deactivation; only without HW */
#define LR_PRIO_SHIFT   48
#define LR_PINTID_SHIFT 32
#define HCR_UIE         BIT_ULL(1) /* maintenance interrupt when at most one LR is in use */
#define HCR_LRENPIE     BIT_ULL(2) /* ... when an interrupt without LR was ended */
#define VMCR_VENG1      BIT_ULL(1)
#define VMCR_VPMR_SHIFT 24

/*
 * 32 interrupts, one bit each. `held[i]` marks those that vCPU i has active or in a list register; a bit is
 * set in one of them exactly when it is set in `active` or `listed`.
 */
struct vgic_bank {
	u32 enabled;
	u32 latch; /* pending that stays: an edge seen, or written by GICD_ISPENDR */
	u32 line;  /* the input line */
	u32 active;
	u32 edge;      /* 1: edge-triggered, 0: level-sensitive */
	u32 listed;    /* in a list register of a vCPU that is on a CPU */
	u32 keep_pend; /* of the listed: 0 if it was not given pending, or made not pending meanwhile */
	u32 keep_act; /* of the listed: 0 if it was made not active meanwhile */
	u32 to[VGIC_CPUS];
	u32 held[VGIC_CPUS];
	u8 priority[32];
};

struct vgic_cpu {
	struct vgic_bank own;
	u64 lr[VGIC_LRS]; /* what was given at the last entry; 0 when folded */
	u64 vmcr; /* ICH_VMCR_EL2 at the last exit */
	u32 folds; /* how often list registers came back */
};

struct vgic {
	u32 cpus;
	u32 on; /* GICD_CTLR.EnableGrp1 */
	struct vgic_cpu cpu[VGIC_CPUS];
	struct vgic_bank spi[VGIC_BANKS - 1];
	u64 route[VGIC_INTIDS]; /* GICD_IROUTER<n>, from 32 */
};

/* The state after reset, for 1..VGIC_CPUS vCPUs. */
void vgic_init(struct vgic *v, u32 cpus);
/* Set the input line of an SPI or of a PPI of vCPU `cpu`; intid 16..VGIC_INTIDS-1. Returns a mask. */
u32 vgic_line(struct vgic *v, u32 cpu, u32 intid, bool level);
/* vCPU `cpu` wrote `value` to ICC_SGI1R_EL1. Returns a mask. */
u32 vgic_sgi(struct vgic *v, u32 cpu, u64 value);
/* Would vCPU `cpu`, now in WFI, be woken: is something pending that its priority mask lets through? */
bool vgic_wakes(const struct vgic *v, u32 cpu);
/* Which vCPUs have an interrupt pending that no list register holds; an edge may be the second of its number. */
u32 vgic_wanted(const struct vgic *v);

/*
 * Must vCPU `cpu` have list registers, or its input line of the timer changed? May be called without the lock: what
 * others change meanwhile they report by a mask.
 */
bool vgic_busy(const struct vgic *v, u32 cpu, bool timer);

/* Fill the list registers of vCPU `cpu` for an entry, the first ones first, 0 the others; returns the enables for ICH_HCR_EL2. */
u64 vgic_flush(struct vgic *v, u32 cpu, u64 lr[VGIC_LRS]);
/* Take back the list registers after the exit; eois is ICH_HCR_EL2.EOIcount. */
void vgic_fold(struct vgic *v, u32 cpu, const u64 lr[VGIC_LRS], u64 vmcr, u32 eois);

/*
 * An access of vCPU `cpu` to `ipa`, width 1, 2, 4 or 8 bytes. False: not a register of this controller.
 * What the manual leaves undefined reads as zero and ignores writes.
 */
bool vgic_read(struct vgic *v, u32 cpu, u64 ipa, u32 width, u64 *value);
bool vgic_write(struct vgic *v, u32 cpu, u64 ipa, u32 width, u64 value, u32 *mask);

/*
 * Which vCPUs' list registers hide what a read of `ipa` asks for: pending or active states. Let each of them exit, that is
 * fold, before the read.
 */
u32 vgic_hiding(struct vgic *v, u64 ipa);

/* Shared by the files of the controller only. */
struct vgic_bank *vgic_bank(struct vgic *v, u32 cpu, u32 bank);
static inline const struct vgic_bank *vgic_bank_const(const struct vgic *v, u32 cpu, u32 bank)
{
	return bank == 0 ? &v->cpu[cpu].own : &v->spi[bank - 1];
}
/* Nothing pending, nothing active: as nearly always. */
static inline bool vgic_quiet(const struct vgic_bank *b)
{
	return !(b->latch | b->line | b->active);
}
/* Pending, enabled and forwarded: candidates for a list register if not active. */
static inline u32 vgic_deliverable(const struct vgic *v, const struct vgic_bank *b)
{
	return v->on ? (b->latch | (b->line & ~b->edge)) & b->enabled : 0;
}
/* Interrupts of the bank that vCPU `cpu` must handle: routed to it and free, or held by it. */
static inline u32 vgic_mine(const struct vgic_bank *b, u32 cpu)
{
	return (b->to[cpu] & ~(b->active | b->listed)) | b->held[cpu];
}

#endif
