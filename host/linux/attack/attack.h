/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A hostile host: each attack goes through what a kernel at EL1 can do, against VMs that nie.ko runs. It says
 * what it expects when isolation holds and what it got.
 */
#ifndef NIE_ATTACK_H
#define NIE_ATTACK_H

#include <linux/types.h>

/* Who is attacked, as nie.ko knows it. */
struct target {
	u32 vm;              /* slot of the victim */
	u32 other;           /* slot of the VM that would get its page */
	phys_addr_t page;    /* the first of its secret */
	u64 other_ipa;       /* in the middle of the other's RAM */
	phys_addr_t context; /* of the victim's vCPU 0 */
};

struct result {
	s64 expected;
	s64 got;
};

/* memory.c */
struct result attack_own_memory(const struct target *t);
struct result attack_read_memory(const struct target *t);
struct result attack_write_memory(const struct target *t);
struct result attack_read_registers(const struct target *t);
struct result attack_give_page(const struct target *t);
struct result attack_take_registers(const struct target *t);

/* machine.c */
struct result attack_start_running_cpu(const struct target *t);
struct result attack_start_wild_cpu(const struct target *t);
struct result attack_reset_machine(const struct target *t);
struct result attack_pending_table(const struct target *t);
struct result attack_property_table(const struct target *t);

/* forge.c: on a VM of the attack's own, so that no victim loses a page when the engine behaves. */
struct result attack_donate_twice(const struct target *t);
struct result attack_forge_page(const struct target *t);
struct result attack_forge_answer(const struct target *t);

#endif
