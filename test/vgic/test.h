/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks, and a CPU interface that does with list registers what the hardware does. */
#ifndef TEST_VGIC_H
#define TEST_VGIC_H

#include "nie_uapi.h"
#include "vgic.h"

/* One test: passed when no check in it fails. */
void run(const char *name, void (*test)(void));
/* Prints the check when it fails. */
void check(bool ok, const char *what, const char *file, int line);
#define CHECK(what) check(what, #what, __FILE__, __LINE__)

/* The CPU interface of one vCPU while it is entered. */
struct face {
	struct vgic *v;
	u32 cpu;
	u64 lr[VGIC_LRS];
	u64 hcr;
	u64 vmcr;
	u32 eois;       /* EOIcount */
	u32 running[VGIC_INTIDS + 1]; /* active priorities, a stack */
	u32 depth;
};

enum { SPURIOUS = 1023, IDLE = 0x100 };

/* A controller of `cpus` vCPUs with group 1 on. */
void fresh(struct vgic *v, u32 cpus);
/* Interrupt `intid` of vCPU `cpu` enabled with a priority, through the registers. */
void enable(struct vgic *v, u32 cpu, u32 intid, u32 priority);
void face_init(struct face *f, struct vgic *v, u32 cpu);
/* An entry; an exit. */
void enter(struct face *f);
void leave(struct face *f);
/* ICC_IAR1_EL1 and ICC_EOIR1_EL1 with EOImode 0, in the entered state. */
u32 ack(struct face *f);
void eoi(struct face *f, u32 intid);
/* Is a maintenance interrupt asserted? */
bool maintenance(const struct face *f);
/* A word of the controller. */
u32 rd(struct vgic *v, u32 cpu, u64 ipa);
u32 wr(struct vgic *v, u32 cpu, u64 ipa, u32 value);

#define SGI_FRAME(cpu) (NIE_GICR_BASE + (cpu) * NIE_GICR_STRIDE + 0x10000)

void test_registers(void);
void test_delivery(void);
void test_overflow(void);
void test_random(void);

#endif
