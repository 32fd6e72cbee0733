// SPDX-License-Identifier: GPL-2.0-only
/* A model of the virtual CPU interface: acknowledge, end of interrupt, maintenance. [Arm IHI 0069H, 6] */
#include "test.h"

static u32 prio(u64 lr)
{
	return (lr >> LR_PRIO_SHIFT) & 0xff;
}

u32 rd(struct vgic *v, u32 cpu, u64 ipa)
{
	u64 value;

	CHECK(vgic_read(v, cpu, ipa, 4, &value));
	return (u32)value;
}

u32 wr(struct vgic *v, u32 cpu, u64 ipa, u32 value)
{
	u32 mask;

	CHECK(vgic_write(v, cpu, ipa, 4, value, &mask));
	return mask;
}

void fresh(struct vgic *v, u32 cpus)
{
	vgic_init(v, cpus);
	wr(v, 0, NIE_GICD_BASE, 2);
}

void enable(struct vgic *v, u32 cpu, u32 intid, u32 priority)
{
	u64 base = intid < 32 ? SGI_FRAME(cpu) : NIE_GICD_BASE;
	u64 shift = 8 * (intid % 4), at = base + 0x400 + intid / 4 * 4;

	wr(v, cpu, at, (rd(v, cpu, at) & ~(0xffu << shift)) | priority << shift);
	wr(v, cpu, base + 0x100 + intid / 32 * 4, 1u << (intid % 32));
}

void face_init(struct face *f, struct vgic *v, u32 cpu)
{
	memset(f, 0, sizeof(*f));
	f->v = v;
	f->cpu = cpu;
	f->vmcr = 0xf0000002; /* mask 0xf0, group 1 enabled */
}

void enter(struct face *f)
{
	f->hcr = vgic_flush(f->v, f->cpu, f->lr);
	f->eois = 0;
}

void leave(struct face *f)
{
	vgic_fold(f->v, f->cpu, f->lr, f->vmcr, f->eois);
	memset(f->lr, 0, sizeof(f->lr));
}

u32 ack(struct face *f)
{
	u32 i, best = VGIC_LRS, floor = f->depth ? f->running[f->depth - 1] : IDLE;

	for (i = 0; i < VGIC_LRS; i++) {
		if (!(f->lr[i] & LR_PENDING) || (f->lr[i] & LR_ACTIVE))
			continue;
		if (prio(f->lr[i]) < floor && prio(f->lr[i]) < f->vmcr >> 24) {
			floor = prio(f->lr[i]);
			best = i;
		}
	}
	if (best == VGIC_LRS)
		return SPURIOUS;
	f->lr[best] = (f->lr[best] & ~LR_PENDING) | LR_ACTIVE;
	f->running[f->depth++] = floor;
	return f->lr[best] & 0x3ff;
}

void eoi(struct face *f, u32 intid)
{
	u32 i;

	CHECK(f->depth > 0);
	f->depth--;
	for (i = 0; i < VGIC_LRS; i++) {
		if ((f->lr[i] & LR_ACTIVE) && (f->lr[i] & 0x3ff) == intid) {
			f->lr[i] &= ~LR_ACTIVE;
			return;
		}
	}
	f->eois++;
}

bool maintenance(const struct face *f)
{
	u32 i, used = 0;

	for (i = 0; i < VGIC_LRS; i++) {
		used += (f->lr[i] & (LR_PENDING | LR_ACTIVE)) != 0;
		if ((f->lr[i] & LR_EOI) && !(f->lr[i] & (LR_PENDING | LR_ACTIVE)))
			return true;
	}
	return ((f->hcr & HCR_UIE) && used <= 1) || ((f->hcr & HCR_LRENPIE) && f->eois);
}
