// SPDX-License-Identifier: GPL-2.0-only
/* State of the emulated GICv3: reset, input lines, software-generated interrupts, what is pending. */
#include "vgic.h"

enum { SGI1R_IRM_SHIFT = 40, SGI1R_INTID_SHIFT = 24 };
/* Aff3, RS, Aff2 and Aff1 of ICC_SGI1R_EL1: all zero names affinities 0.0.0.0 to 0.0.0.15. */
#define SGI1R_CLUSTER 0x00FFF0FF00FF0000ULL

struct vgic_bank *vgic_bank(struct vgic *v, u32 cpu, u32 bank)
{
	return bank == 0 ? &v->cpu[cpu].own : &v->spi[bank - 1];
}

void vgic_init(struct vgic *v, u32 cpus)
{
	u32 i;

	memset(v, 0, sizeof(*v));
	v->cpus = cpus;
	for (i = 0; i < VGIC_CPUS; i++) {
		v->cpu[i].own.edge = 0xffff; /* SGIs */
		v->cpu[i].own.to[i] = ~0U;
	}
	for (i = 0; i < VGIC_BANKS - 1; i++)
		v->spi[i].to[0] = ~0U; /* GICD_IROUTER resets to 0 here: vCPU 0 */
}

u32 vgic_wanted(const struct vgic *v)
{
	const struct vgic_bank *b;
	u32 cpu, i, hidden, mask = 0;

	for (cpu = 0; cpu < v->cpus; cpu++) {
		for (i = 0; i < VGIC_BANKS; i++) {
			b = vgic_bank_const(v, cpu, i);
			if (vgic_quiet(b))
				continue;
			/*
			 * A level that is in a list register asks again by itself. An edge there does not: the VM
			 * may have ended the one that it was given, and would wait for its next exit.
			 */
			hidden = (b->active | b->listed) & ~b->edge;
			if (vgic_deliverable(v, b) & b->to[cpu] & ~hidden)
				mask |= 1U << cpu;
		}
	}
	return mask;
}

u32 vgic_line(struct vgic *v, u32 cpu, u32 intid, bool level)
{
	struct vgic_bank *b;
	u32 bit = 1U << (intid % 32);

	if (intid < 16 || intid >= VGIC_INTIDS || cpu >= v->cpus)
		return 0;
	b = vgic_bank(v, cpu, intid / 32);
	if (level && !(b->line & bit) && (b->edge & bit))
		b->latch |= bit;
	b->line = level ? b->line | bit : b->line & ~bit;
	return level ? vgic_wanted(v) : 0;
}

u32 vgic_sgi(struct vgic *v, u32 cpu, u64 value)
{
	u32 bit = 1U << ((value >> SGI1R_INTID_SHIFT) & 15);
	u32 targets, i;

	if (value & BIT_ULL(SGI1R_IRM_SHIFT))
		targets = ~(1U << cpu); /* all but the sender */
	else if (value & SGI1R_CLUSTER)
		targets = 0; /* no vCPU has such an affinity */
	else
		targets = value & 0xffff;
	for (i = 0; i < v->cpus; i++) {
		if (targets & (1U << i))
			v->cpu[i].own.latch |= bit;
	}
	return vgic_wanted(v);
}

bool vgic_busy(const struct vgic *v, u32 cpu, bool timer)
{
	const struct vgic_bank *b = &v->cpu[cpu].own;
	u32 i;

	if (((b->line >> VGIC_VTIMER) & 1) != timer)
		return true;
#pragma GCC unroll 3
	for (i = 0; i < VGIC_BANKS; i++) {
		b = vgic_bank_const(v, cpu, i);
		if (vgic_quiet(b))
			continue;
		if ((vgic_deliverable(v, b) | b->active) & vgic_mine(b, cpu))
			return true;
	}
	return false;
}

bool vgic_wakes(const struct vgic *v, u32 cpu)
{
	u64 vmcr = v->cpu[cpu].vmcr;
	u32 mask = (vmcr >> VMCR_VPMR_SHIFT) & 0xff;
	const struct vgic_bank *b;
	u32 i, n, bits;

	if (!(vmcr & VMCR_VENG1))
		return false;
	for (i = 0; i < VGIC_BANKS; i++) {
		b = vgic_bank_const(v, cpu, i);
		bits = vgic_deliverable(v, b) & vgic_mine(b, cpu) & ~b->active;
		for (; bits; bits &= bits - 1) {
			n = __ffs(bits);
			if (b->priority[n] < mask)
				return true;
		}
	}
	return false;
}
