// SPDX-License-Identifier: GPL-2.0-only
/* One entry into a vCPU and its exit, with interrupts off: the run record is filled and read here. */
#include <asm/neon.h>
#include <linux/sched/signal.h>
#include "nie.h"

static void record_in(struct nie_vcpu *v, const u64 lr[VGIC_LRS], u64 hcr)
{
	u32 i;

	WRITE_ONCE(v->run[RUN_IN_FLAGS], v->answer ? NIE_IN_ANSWER : 0);
	for (i = 0; i < 4; i++)
		WRITE_ONCE(v->run[RUN_IN_X0 + i], v->x[i]);
	WRITE_ONCE(v->run[RUN_IN_ICH_HCR], hcr);
	for (i = 0; i < VGIC_LRS; i++)
		WRITE_ONCE(v->run[RUN_IN_LR0 + i], lr[i]);
}

static void before(struct nie_vcpu *v, u64 lr[VGIC_LRS])
{
	struct nie_vm *vm = v->vm;
	u64 hcr;

	raw_spin_lock(&vm->gic_lock);
	nie_timer_update(v);
	hcr = vgic_flush(&vm->gic, v->index, lr);
	raw_spin_unlock(&vm->gic_lock);
	record_in(v, lr, hcr);
	nie_timer_before(lr);
}

/* Nothing ran: the list registers come back as they were given. */
static void undo(struct nie_vcpu *v, const u64 lr[VGIC_LRS])
{
	struct nie_vm *vm = v->vm;

	raw_spin_lock(&vm->gic_lock);
	vgic_fold(&vm->gic, v->index, lr, vm->gic.cpu[v->index].vmcr, 0);
	raw_spin_unlock(&vm->gic_lock);
}

static void after(struct nie_vcpu *v, const u64 given[VGIC_LRS])
{
	struct nie_vm *vm = v->vm;
	u64 lr[VGIC_LRS], reason = READ_ONCE(v->run[RUN_OUT_REASON]);
	u32 i;

	v->answer = false;
	v->timer_control = READ_ONCE(v->run[RUN_OUT_CNTV_CTL]);
	v->timer_deadline = READ_ONCE(v->run[RUN_OUT_CNTV_CVAL]);
	for (i = 0; i < VGIC_LRS; i++)
		lr[i] = READ_ONCE(v->run[RUN_OUT_LR0 + i]);
	nie_timer_after(given, lr);
	raw_spin_lock(&vm->gic_lock);
	vgic_fold(&vm->gic, v->index, lr, READ_ONCE(v->run[RUN_OUT_VMCR]),
		  READ_ONCE(v->run[RUN_OUT_EOICOUNT]));
	raw_spin_unlock(&vm->gic_lock);
	if (reason < NIE_EXIT_REASONS)
		atomic64_inc(&vm->exits[reason]);
}

static u64 enter_locked(struct nie_vcpu *v)
{
	u64 lr[VGIC_LRS], status;

	/* Set before the checks: whoever changes something after them sees it and kicks. */
	WRITE_ONCE(v->cpu, smp_processor_id());
	smp_store_mb(v->in_guest, true);
	if (signal_pending(current) || need_resched() || READ_ONCE(v->vm->stopped))
		return NIE_NOT_ENTERED;
	before(v, lr);
	status = nie_call(NIE_VCPU_RUN, v->vm->index, v->index);
	if (status == NIE_OK)
		after(v, lr);
	else
		undo(v, lr);
	return status;
}

u64 nie_enter(struct nie_vcpu *v)
{
	u64 status;

	/* The engine keeps no vector register of ours across VCPU_RUN. */
	kernel_neon_begin();
	local_irq_disable();
	status = enter_locked(v);
	WRITE_ONCE(v->in_guest, false);
	local_irq_enable();
	kernel_neon_end();
	return status;
}
