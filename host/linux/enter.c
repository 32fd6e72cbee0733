// SPDX-License-Identifier: GPL-2.0-only
/* One entry into a vCPU and its exit, with interrupts off: the run record is filled and read here. */
#include <asm/neon.h>
#include <linux/interrupt.h>
#include <linux/sched/signal.h>
#include "nie.h"

static void record_in(struct nie_vcpu *v, const u64 lr[VGIC_LRS], u64 hcr)
{
	u32 i;

	WRITE_ONCE(v->run[RUN_IN_FLAGS], v->answer ? NIE_IN_ANSWER : 0);
#pragma GCC unroll 4
	for (i = 0; i < 4; i++)
		WRITE_ONCE(v->run[RUN_IN_X0 + i], v->x[i]);
	WRITE_ONCE(v->run[RUN_IN_ICH_HCR], hcr);
#pragma GCC unroll 4
	for (i = 0; i < VGIC_LRS; i++)
		WRITE_ONCE(v->run[RUN_IN_LR0 + i], lr[i]);
}

/* The lock is taken only when there is something: else all vCPUs' ticks would wait for each other. */
static void before(struct nie_vcpu *v, u64 lr[VGIC_LRS])
{
	struct nie_vm *vm = v->vm;
	bool due = nie_timer_due(
		v); /* one look: a timer that expires after it must interrupt the VM */
	u64 hcr = 0;

	memset(lr, 0, VGIC_LRS * sizeof(*lr));
	if (vgic_busy(&vm->gic, v->index, due)) {
		raw_spin_lock(&vm->gic_lock);
		vgic_line(&vm->gic, v->index, VGIC_VTIMER, due);
		hcr = vgic_flush(&vm->gic, v->index, lr);
		raw_spin_unlock(&vm->gic_lock);
	}
	record_in(v, lr, hcr);
	nie_timer_before(due, lr);
}

static void fold(struct nie_vcpu *v, const u64 left[VGIC_LRS], u64 vmcr, u32 eois)
{
	raw_spin_lock(&v->vm->gic_lock);
	vgic_fold(&v->vm->gic, v->index, left, vmcr, eois);
	raw_spin_unlock(&v->vm->gic_lock);
}

static void after(struct nie_vcpu *v, const u64 given[VGIC_LRS])
{
	u64 left[VGIC_LRS], vmcr = READ_ONCE(v->run[RUN_OUT_VMCR]);
	u64 reason = READ_ONCE(v->run[RUN_OUT_REASON]);
	u32 i, eois = READ_ONCE(v->run[RUN_OUT_EOICOUNT]);

	v->answer = false;
	v->timer_control = READ_ONCE(v->run[RUN_OUT_CNTV_CTL]);
	v->timer_deadline = READ_ONCE(v->run[RUN_OUT_CNTV_CVAL]);
	if (given[0] || eois) {
		for (i = 0; i < VGIC_LRS; i++)
			left[i] = READ_ONCE(v->run[RUN_OUT_LR0 + i]);
		nie_timer_after(given, left);
		fold(v, left, vmcr, eois);
	} else {
		v->vm->gic.cpu[v->index].vmcr = vmcr; /* only this thread uses it */
	}
	if (reason < NIE_EXIT_REASONS)
		atomic64_inc(&v->vm->exits[reason]);
}

/* Inline: the most frequent call, and the engine keeps all registers but the results. */
static u64 vcpu_run(const struct nie_vcpu *v)
{
	struct arm_smccc_res res;

	arm_smccc_1_1_hvc(NIE_VCPU_RUN, v->vm->index, v->index, &res);
	return res.a0;
}

static u64 enter_masked(struct nie_vcpu *v)
{
	u64 lr[VGIC_LRS], status;

	/* What was done before a kick that is forgotten here is seen below: pairs with nie_notify. */
	xchg(&v->kicked, false);
	/* Set before the checks: whoever changes something after them sees it and kicks. */
	smp_store_mb(v->guest, current);
	if (signal_pending(current) || need_resched() || READ_ONCE(v->vm->stopped))
		return NIE_NOT_ENTERED;
	before(v, lr);
	status = vcpu_run(v);
	if (status == NIE_OK)
		after(v, lr);
	else if (lr[0]) /* nothing ran: the list registers come back as they were given */
		fold(v, lr, v->vm->gic.cpu[v->index].vmcr, 0);
	return status;
}

u64 nie_enter(struct nie_vcpu *v)
{
	u64 status;

	/* The engine keeps no vector register of ours across VCPU_RUN. Until the end nothing may sleep. */
	kernel_neon_begin();
	do {
		local_irq_disable();
		status = enter_masked(v);
		WRITE_ONCE(v->guest, NULL);
		local_irq_enable();
		if (status != NIE_OK || !nie_serve_at_once(v))
			break;
		status = NIE_NOT_ENTERED;
	} while (!local_softirq_pending());
	kernel_neon_end();
	return status;
}
