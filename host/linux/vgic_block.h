/* SPDX-License-Identifier: GPL-2.0-only */
/* Registers with a field an interrupt, by their offset in the distributor or a redistributor's SGI frame. */
#ifndef NIE_VGIC_BLOCK_H
#define NIE_VGIC_BLOCK_H

#include "vgic_port.h"

struct vgic;

enum irq_block {
	IGROUPR = 0x080,
	ISENABLER = 0x100,
	ICENABLER = 0x180,
	ISPENDR = 0x200,
	ICPENDR = 0x280,
	ISACTIVER = 0x300,
	ICACTIVER = 0x380,
	IPRIORITYR = 0x400,
	IPRIORITYR_END = 0x800,
	ICFGR = 0xC00,
	ICFGR_END = 0xD00,
};

/*
 * A word at `offset`, a multiple of 4 from IGROUPR to ICFGR_END - 4. `redist`: it is the redistributor of
 * vCPU `cpu`, which has bank 0 only; else the distributor, accessed by `cpu`, which has the others.
 * The write returns the vCPUs that must look again because it touched their list registers.
 */
/* vCPUs on a CPU now whose list registers hold interrupts of the bank whose states `offset` tells: see vgic_hiding. */
u32 vgic_block_hiding(struct vgic *v, u32 cpu, u32 offset, bool redist);
u32 vgic_block_read(struct vgic *v, u32 cpu, u32 offset, bool redist);
u32 vgic_block_write(struct vgic *v, u32 cpu, u32 offset, u32 value, bool redist);

#endif
