// SPDX-License-Identifier: GPL-2.0-only
/* Registers of the emulated GICv3. [Arm IHI 0069H, 12.9 to 12.11] */
#ifdef __KERNEL__
#include "nie_uapi.h"
#else
#include "../../host/linux/nie_uapi.h"
#endif
#include "vgic.h"
#include "vgic_block.h"

enum gicd {
	GICD_CTLR = 0x0000,
	GICD_TYPER = 0x0004,
	GICD_IIDR = 0x0008,
	GICD_IROUTER = 0x6000,
	GICD_IROUTER_END = 0x6000 + 8 * VGIC_INTIDS,
	GIC_PIDR2 = 0xFFE8,
};

enum gicr {
	GICR_IIDR = 0x0004,
	GICR_TYPER = 0x0008,
	GICR_TYPER_HIGH = 0x000C,
	GICR_SGI_BASE = 0x10000,
};

enum {
	CTLR_GROUP1 = 1 << 1,
	CTLR_ARE = 1 << 4,
	CTLR_DS = 1 << 6,
	TYPER_ID_BITS = (10 - 1) << 19,
	TYPER_NO_1_OF_N = 1 << 25,
	TYPER_LAST = 1 << 4,
	IIDR = 0x43B,       /* designer: Arm */
	PIDR2_GICV3 = 0x30, /* ArchRev 3 */
};

static void route_write(struct vgic *v, u32 intid, u32 shift, u32 value)
{
	struct vgic_bank *b = &v->spi[intid / 32 - 1];
	u64 route = v->route[intid];
	u32 i, bit = 1U << (intid % 32);

	route = (route & ~(0xffffffffULL << shift)) | (u64)value << shift;
	route &= 0xFF00FFFFFFULL; /* affinities; bit 31 is 0: no 1-of-N */
	v->route[intid] = route;
	for (i = 0; i < VGIC_CPUS; i++)
		b->to[i] = route == i ? b->to[i] | bit : b->to[i] & ~bit;
}

static u32 dist_read(struct vgic *v, u32 cpu, u32 offset)
{
	switch (offset) {
	case GICD_CTLR:
		return CTLR_ARE | CTLR_DS | (v->on ? CTLR_GROUP1 : 0);
	case GICD_TYPER:
		return TYPER_NO_1_OF_N | TYPER_ID_BITS | (VGIC_BANKS - 1);
	case GICD_IIDR:
		return IIDR;
	case GIC_PIDR2:
		return PIDR2_GICV3;
	}
	if (offset >= GICD_IROUTER + 8 * 32 && offset < GICD_IROUTER_END)
		return v->route[(offset - GICD_IROUTER) / 8] >> (offset & 4 ? 32 : 0);
	return offset >= IGROUPR && offset < ICFGR_END ? vgic_block_read(v, cpu, offset, false) : 0;
}

static u32 dist_write(struct vgic *v, u32 cpu, u32 offset, u32 value)
{
	u32 mask = 0;

	if (offset == GICD_CTLR)
		v->on = value & CTLR_GROUP1;
	else if (offset >= GICD_IROUTER + 8 * 32 && offset < GICD_IROUTER_END)
		route_write(v, (offset - GICD_IROUTER) / 8, offset & 4 ? 32 : 0, value);
	else if (offset >= IGROUPR && offset < ICFGR_END)
		mask = vgic_block_write(v, cpu, offset, value, false);
	return mask | vgic_wanted(v);
}

static u32 redist_read(struct vgic *v, u32 target, u32 offset)
{
	switch (offset) {
	case GICR_IIDR:
		return IIDR;
	case GICR_TYPER:
		return target << 8 | (target + 1 == v->cpus ? TYPER_LAST : 0);
	case GICR_TYPER_HIGH:
		return target;
	case GIC_PIDR2:
	case GICR_SGI_BASE + GIC_PIDR2:
		return PIDR2_GICV3;
	}
	if (offset >= GICR_SGI_BASE + IGROUPR && offset < GICR_SGI_BASE + ICFGR_END)
		return vgic_block_read(v, target, offset - GICR_SGI_BASE, true);
	return 0;
}

static u32 redist_write(struct vgic *v, u32 target, u32 offset, u32 value)
{
	u32 mask = 0;

	if (offset >= GICR_SGI_BASE + IGROUPR && offset < GICR_SGI_BASE + ICFGR_END)
		mask = vgic_block_write(v, target, offset - GICR_SGI_BASE, value, true);
	return mask | vgic_wanted(v);
}

/* A word of the controller. `ipa` is aligned to 4 and inside it. */
static u32 word_read(struct vgic *v, u32 cpu, u64 ipa)
{
	if (ipa < NIE_GICR_BASE)
		return dist_read(v, cpu, ipa - NIE_GICD_BASE);
	ipa -= NIE_GICR_BASE;
	return redist_read(v, ipa / NIE_GICR_STRIDE, ipa % NIE_GICR_STRIDE);
}

static u32 word_write(struct vgic *v, u32 cpu, u64 ipa, u32 value)
{
	if (ipa < NIE_GICR_BASE)
		return dist_write(v, cpu, ipa - NIE_GICD_BASE, value);
	ipa -= NIE_GICR_BASE;
	return redist_write(v, ipa / NIE_GICR_STRIDE, ipa % NIE_GICR_STRIDE, value);
}

static bool inside(const struct vgic *v, u64 ipa)
{
	if (ipa >= NIE_GICR_BASE)
		return ipa - NIE_GICR_BASE < v->cpus * NIE_GICR_STRIDE;
	return ipa >= NIE_GICD_BASE && ipa - NIE_GICD_BASE < NIE_GICD_SIZE;
}

/* Registers of pending and active states, in the distributor or an SGI frame. */
static bool tells_states(u32 offset)
{
	return offset >= ISPENDR && offset < IPRIORITYR;
}

u32 vgic_hiding(struct vgic *v, u64 ipa)
{
	bool redist = ipa >= NIE_GICR_BASE;
	u64 at = ipa - (redist ? NIE_GICR_BASE : NIE_GICD_BASE);
	u32 offset = redist ? at % NIE_GICR_STRIDE - GICR_SGI_BASE : at;

	if (!tells_states(offset) || !inside(v, ipa))
		return 0;
	return vgic_block_hiding(v, redist ? at / NIE_GICR_STRIDE : 0, offset, redist);
}

/* Only the priority registers allow bytes; the offset in its 64 KiB frame tells them apart. */
static bool byte_allowed(u64 ipa)
{
	u32 offset = (ipa >= NIE_GICR_BASE ? ipa - NIE_GICR_BASE : ipa - NIE_GICD_BASE) & 0xffff;

	return offset >= IPRIORITYR && offset < IPRIORITYR_END;
}

bool vgic_read(struct vgic *v, u32 cpu, u64 ipa, u32 width, u64 *value)
{
	*value = 0;
	if (!inside(v, ipa))
		return false;
	if (width == 1 && byte_allowed(ipa))
		*value = (word_read(v, cpu, ipa & ~3ULL) >> (8 * (ipa & 3))) & 0xff;
	if ((width != 4 && width != 8) || ipa % width)
		return true;
	*value = word_read(v, cpu, ipa);
	if (width == 8)
		*value |= (u64)word_read(v, cpu, ipa + 4) << 32;
	return true;
}

bool vgic_write(struct vgic *v, u32 cpu, u64 ipa, u32 width, u64 value, u32 *mask)
{
	u32 word, shift = 8 * (ipa & 3);

	*mask = 0;
	if (!inside(v, ipa))
		return false;
	if (width == 1 && byte_allowed(ipa)) {
		word = word_read(v, cpu, ipa & ~3ULL) & ~(0xffU << shift);
		*mask = word_write(v, cpu, ipa & ~3ULL, word | (u32)(value & 0xff) << shift);
	}
	if ((width != 4 && width != 8) || ipa % width)
		return true;
	*mask = word_write(v, cpu, ipa, value);
	if (width == 8)
		*mask |= word_write(v, cpu, ipa + 4, value >> 32);
	return true;
}
