// SPDX-License-Identifier: GPL-2.0-only
/* List registers of the emulated GICv3: what goes in before an entry, what comes back after an exit. */
#include "vgic.h"

/*
 * The most urgent interrupts so far, best first. A key orders by priority, then active first (it must be
 * there to be ended), then by number; its low bits are the number.
 */
struct choice {
	u32 key[VGIC_LRS];
	u32 count;
	bool left_pending; /* something pending found no place */
	bool left_active;
};

enum { KEY_INTID = 0x3ff, KEY_INACTIVE = 0x400, KEY_PRIO_SHIFT = 11, KEY_NONE = -1 };

static void note_left(struct choice *c, u32 key)
{
	if (key & KEY_INACTIVE)
		c->left_pending = true;
	else
		c->left_active = true;
}

static void choose(struct choice *c, u32 key)
{
	u32 i, other;

	for (i = 0; i < c->count; i++) {
		if (key < c->key[i]) {
			other = c->key[i];
			c->key[i] = key;
			key = other;
		}
	}
	if (c->count < VGIC_LRS)
		c->key[c->count++] = key;
	else
		note_left(c, key);
}

static void choose_all(struct vgic *v, u32 cpu, struct choice *c)
{
	struct vgic_bank *b;
	u32 i, n, bits, key;

	for (i = 0; i < VGIC_BANKS; i++) {
		b = vgic_bank(v, cpu, i);
		if (vgic_quiet(b))
			continue;
		bits = (vgic_deliverable(v, b) | b->active) & vgic_mine(b, cpu);
		for (; bits; bits &= bits - 1) {
			n = __ffs(bits);
			key = (u32)b->priority[n] << KEY_PRIO_SHIFT | (32 * i + n);
			choose(c, b->active & (1U << n) ? key : key | KEY_INACTIVE);
		}
	}
}

/* Put one interrupt into a list register: an edge moves there, a level stays where it is. */
static u64 list_one(struct vgic *v, u32 cpu, u32 intid)
{
	struct vgic_bank *b = vgic_bank(v, cpu, intid / 32);
	u32 bit = 1U << (intid % 32);
	bool active = b->active & bit;
	bool pending = vgic_deliverable(v, b) & bit;
	u64 lr = intid | LR_GROUP1 | (u64)b->priority[intid % 32] << LR_PRIO_SHIFT;

	if (b->edge & bit) {
		if (pending)
			b->latch &= ~bit;
	} else {
		/* Never both: the line is looked at again when the VM has ended this one. */
		pending = pending && !active;
		if (intid == VGIC_VTIMER)
			lr |= LR_HW | (u64)VGIC_VTIMER << LR_PINTID_SHIFT;
		else
			lr |= LR_EOI;
	}
	b->listed |= bit;
	b->keep_pend |= pending ? bit : 0;
	b->keep_act |= bit;
	b->held[cpu] |= bit;
	return lr | (active ? LR_ACTIVE : 0) | (pending ? LR_PENDING : 0);
}

u64 vgic_flush(struct vgic *v, u32 cpu, u64 lr[VGIC_LRS])
{
	struct choice c = { .count = 0 };
	u64 hcr = 0;
	u32 i;

	choose_all(v, cpu, &c);
	for (i = 0; i < VGIC_LRS; i++) {
		lr[i] = i < c.count ? list_one(v, cpu, c.key[i] & KEY_INTID) : 0;
		v->cpu[cpu].lr[i] = lr[i];
	}
	if (c.left_pending)
		hcr |= HCR_UIE;
	if (c.left_active)
		hcr |= HCR_LRENPIE;
	return hcr;
}

static void fold_one(struct vgic *v, u32 cpu, u32 intid, u64 lr)
{
	struct vgic_bank *b = vgic_bank(v, cpu, intid / 32);
	u32 bit = 1U << (intid % 32);
	bool active = (lr & LR_ACTIVE) && (b->keep_act & bit);

	if (b->edge & bit) {
		if ((lr & LR_PENDING) && (b->keep_pend & bit))
			b->latch |= bit;
	} else if (!(lr & LR_PENDING)) {
		b->latch &= ~bit; /* taken: what GICD_ISPENDR wrote is used up */
	}
	b->listed &= ~bit;
	b->keep_pend &= ~bit;
	b->keep_act &= ~bit;
	b->active = active ? b->active | bit : b->active & ~bit;
	b->held[cpu] = active ? b->held[cpu] | bit : b->held[cpu] & ~bit;
}

/* The VM ended an interrupt that was in no list register: it can only be its most urgent active one. */
static void end_unlisted(struct vgic *v, u32 cpu)
{
	u32 i, n, bits, key, best = KEY_NONE;
	struct vgic_bank *b;

	for (i = 0; i < VGIC_BANKS; i++) {
		b = vgic_bank(v, cpu, i);
		for (bits = b->active & b->held[cpu] & ~b->listed; bits; bits &= bits - 1) {
			n = __ffs(bits);
			key = (u32)b->priority[n] << KEY_PRIO_SHIFT | (32 * i + n);
			best = key < best ? key : best;
		}
	}
	if (best == (u32)KEY_NONE)
		return;
	b = vgic_bank(v, cpu, (best & KEY_INTID) / 32);
	b->active &= ~(1U << (best % 32));
	b->held[cpu] &= ~(1U << (best % 32));
}

void vgic_fold(struct vgic *v, u32 cpu, const u64 lr[VGIC_LRS], u64 vmcr, u32 eois)
{
	struct vgic_cpu *c = &v->cpu[cpu];
	u32 i;

	c->vmcr = vmcr;
	c->folds++;
	/* Before the listed ones come back: those cannot be what EOIcount counted. */
	for (i = 0; i < eois && i < VGIC_INTIDS; i++)
		end_unlisted(v, cpu);
	for (i = 0; i < VGIC_LRS; i++) {
		if (c->lr[i])
			fold_one(v, cpu, c->lr[i] & KEY_INTID, lr[i]);
		c->lr[i] = 0;
	}
}
