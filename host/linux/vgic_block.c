// SPDX-License-Identifier: GPL-2.0-only
/* Registers with a field an interrupt: the same block is in the distributor and in each redistributor. */
#include "vgic.h"
#include "vgic_block.h"

/* Five bits of priority: the least that a list register has. */
enum { PRIO_MASK = 0xF8 };

/* The bank that a block register at `offset` speaks of, or NULL: bank 0 is in redistributors only. */
static struct vgic_bank *block_bank(struct vgic *v, u32 cpu, u32 offset, bool redist)
{
	u32 bank;

	if (offset >= ICFGR)
		bank = (offset - ICFGR) / 8;
	else if (offset >= IPRIORITYR)
		bank = (offset - IPRIORITYR) / 32;
	else
		bank = (offset & 0x7f) / 4;
	if (bank >= VGIC_BANKS || redist != (bank == 0))
		return NULL;
	return vgic_bank(v, cpu, bank);
}

/* ICFGR: two bits an interrupt, the upper one means edge. */
static u32 config_read(const struct vgic_bank *b, u32 first)
{
	u32 i, value = 0;

	for (i = 0; i < 16; i++)
		value |= ((b->edge >> (first + i)) & 1) << (2 * i + 1);
	return value;
}

static void config_write(struct vgic_bank *b, u32 first, u32 value)
{
	u32 i, bit;

	for (i = 0; i < 16; i++) {
		bit = 1U << (first + i);
		b->edge = value & (2U << (2 * i)) ? b->edge | bit : b->edge & ~bit;
	}
}

static u32 priority_read(const struct vgic_bank *b, u32 first)
{
	return b->priority[first] | b->priority[first + 1] << 8 | b->priority[first + 2] << 16 |
	       (u32)b->priority[first + 3] << 24;
}

u32 vgic_block_read(struct vgic *v, u32 cpu, u32 offset, bool redist)
{
	struct vgic_bank *b = block_bank(v, cpu, offset, redist);

	if (!b)
		return 0;
	if (offset >= ICFGR)
		return config_read(b, offset & 4 ? 16 : 0);
	if (offset >= IPRIORITYR)
		return priority_read(b, offset % 32);
	switch (offset & ~0x7fU) {
	case IGROUPR:
		return ~0U;
	case ISENABLER:
	case ICENABLER:
		return b->enabled;
	case ISPENDR:
	case ICPENDR:
		return b->latch | (b->line & ~b->edge) | (b->listed & b->keep_pend & b->edge);
	case ISACTIVER:
	case ICACTIVER:
		return b->active;
	}
	return 0;
}

static void set_active(struct vgic_bank *b, u32 cpu, u32 bits)
{
	bits &= ~(b->active | b->listed);
	b->active |= bits;
	b->held[cpu] |= bits;
}

static void clear_active(struct vgic_bank *b, u32 bits)
{
	u32 i;

	b->keep_act &= ~bits;
	bits &= ~b->listed;
	b->active &= ~bits;
	for (i = 0; i < VGIC_CPUS; i++)
		b->held[i] &= ~bits;
}

static void bits_write(struct vgic_bank *b, u32 cpu, u32 block, u32 value)
{
	switch (block) {
	case ISENABLER:
		b->enabled |= value;
		break;
	case ICENABLER:
		b->enabled &= ~value;
		break;
	case ISPENDR:
		b->latch |= value;
		break;
	case ICPENDR:
		b->latch &= ~value;
		b->keep_pend &= ~value;
		break;
	case ISACTIVER:
		set_active(b, cpu, value);
		break;
	case ICACTIVER:
		clear_active(b, value);
		break;
	}
}

/* vCPUs on a CPU now with an interrupt of the bank in a list register: they must look again. */
static u32 listed_by(const struct vgic_bank *b)
{
	u32 i, mask = 0;

	for (i = 0; i < VGIC_CPUS; i++)
		mask |= b->held[i] & b->listed ? 1U << i : 0;
	return mask;
}

u32 vgic_block_hiding(struct vgic *v, u32 cpu, u32 offset, bool redist)
{
	struct vgic_bank *b = block_bank(v, cpu, offset, redist);

	return b ? listed_by(b) : 0;
}

u32 vgic_block_write(struct vgic *v, u32 cpu, u32 offset, u32 value, bool redist)
{
	struct vgic_bank *b = block_bank(v, cpu, offset, redist);
	u32 i;

	if (!b)
		return 0;
	if (offset >= ICFGR) {
		/* SGIs are edges and PPIs are wired as levels: read-only. */
		if (!redist)
			config_write(b, offset & 4 ? 16 : 0, value);
	} else if (offset >= IPRIORITYR) {
		for (i = 0; i < 4; i++)
			b->priority[offset % 32 + i] = (value >> (8 * i)) & PRIO_MASK;
	} else {
		bits_write(b, cpu, offset & ~0x7fU, value);
	}
	return listed_by(b);
}
