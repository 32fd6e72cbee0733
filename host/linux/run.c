// SPDX-License-Identifier: GPL-2.0-only
/* RUN: enter the vCPU again and again, serve the exits that need no monitor, return with the others. */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include "nie.h"

/* Any IPI makes the VM exit; one is enough until the next entry. */
static void kick(struct nie_vcpu *v)
{
	struct task_struct *task;

	rcu_read_lock(); /* a task outlives its last look at it */
	task = READ_ONCE(v->guest);
	if (task && !xchg(&v->kicked, true))
		kick_process(task);
	rcu_read_unlock();
}

void nie_notify(struct nie_vm *vm, u32 mask)
{
	struct nie_vcpu *v;
	u32 i;

	if (!mask)
		return;
	/* What was changed for the vCPU is visible before we look whether it runs: pairs with nie_enter. */
	smp_mb();
	for (i = 0; i < vm->vcpus; i++) {
		v = READ_ONCE(vm->vcpu[i]);
		if (!v || !(mask & (1U << i)))
			continue;
		wake_up(&v->wait);
		kick(v);
	}
}

u32 nie_irq_line(struct nie_vm *vm, u32 cpu, u32 intid, bool level)
{
	unsigned long flags;
	u32 mask;

	raw_spin_lock_irqsave(&vm->gic_lock, flags);
	mask = vgic_line(&vm->gic, cpu, intid, level);
	raw_spin_unlock_irqrestore(&vm->gic_lock, flags);
	return mask;
}

static bool wakes(struct nie_vcpu *v)
{
	unsigned long flags;
	bool yes;

	raw_spin_lock_irqsave(&v->vm->gic_lock, flags);
	nie_timer_update(v);
	yes = vgic_wakes(&v->vm->gic, v->index);
	raw_spin_unlock_irqrestore(&v->vm->gic_lock, flags);
	return yes;
}

static void wait_for_interrupt(struct nie_vcpu *v)
{
	if (wakes(v))
		return;
	nie_timer_arm(v);
	wait_event_interruptible(v->wait, READ_ONCE(v->vm->stopped) || wakes(v));
	nie_timer_disarm(v);
}

/* Which vCPUs of `mask` have the list registers that they had at `folds`. With gic_lock held. */
static u32 still(const struct nie_vm *vm, u32 mask, const u32 folds[VGIC_CPUS])
{
	u32 i;

	for (i = 0; i < VGIC_CPUS; i++) {
		if (vm->gic.cpu[i].folds != folds[i])
			mask &= ~(1U << i);
	}
	return mask;
}

/*
 * Before a read of the interrupt controller, with gic_lock held: what other vCPUs' list registers hide comes back at
 * their exit. Linux polls these registers before it frees an interrupt. A vCPU that reads has none itself,
 * so no two wait for each other.
 */
static void unhide(struct nie_vm *vm, u64 ipa)
{
	u32 i, folds[VGIC_CPUS], mask = vgic_hiding(&vm->gic, ipa);

	for (i = 0; i < VGIC_CPUS; i++)
		folds[i] = vm->gic.cpu[i].folds;
	while ((mask = still(vm, mask, folds)) && !fatal_signal_pending(current)) {
		raw_spin_unlock_irq(&vm->gic_lock);
		nie_notify(vm, mask);
		usleep_range(10, 50);
		raw_spin_lock_irq(&vm->gic_lock);
	}
}

/* With gic_lock held: true when the access was to the VM's interrupt controller. */
static bool access_gic(struct nie_vcpu *v, u64 reason, u32 *mask)
{
	u64 ipa = READ_ONCE(v->run[RUN_OUT_IPA]), value = READ_ONCE(v->run[RUN_OUT_VALUE]);
	u32 width = READ_ONCE(v->run[RUN_OUT_WIDTH]);

	if (reason == NIE_EXIT_MMIO_READ)
		return vgic_read(&v->vm->gic, v->index, ipa, width, &v->x[0]);
	return vgic_write(&v->vm->gic, v->index, ipa, width, value, mask);
}

/* An access to the VM's interrupt controller; false: it is the monitor's, or has to wait where none may. */
static bool serve_mmio(struct nie_vcpu *v, u64 reason, bool wait)
{
	u64 ipa = READ_ONCE(v->run[RUN_OUT_IPA]);
	struct nie_vm *vm = v->vm;
	bool ours = true;
	u32 mask = 0;

	raw_spin_lock_irq(&vm->gic_lock);
	if (reason == NIE_EXIT_MMIO_READ && vgic_hiding(&vm->gic, ipa)) {
		if (wait)
			unhide(vm, ipa);
		else
			ours = false;
	}
	ours = ours && access_gic(v, reason, &mask);
	raw_spin_unlock_irq(&vm->gic_lock);
	v->answer = ours;
	nie_notify(vm, mask);
	return ours;
}

static void send_sgi(struct nie_vcpu *v)
{
	u32 mask;

	raw_spin_lock_irq(&v->vm->gic_lock);
	mask = vgic_sgi(&v->vm->gic, v->index, READ_ONCE(v->run[RUN_OUT_VALUE]));
	raw_spin_unlock_irq(&v->vm->gic_lock);
	nie_notify(v->vm, mask);
}

bool nie_serve_at_once(struct nie_vcpu *v)
{
	u64 reason = READ_ONCE(v->run[RUN_OUT_REASON]);

	switch (reason) {
	case NIE_EXIT_MMIO_READ:
	case NIE_EXIT_MMIO_WRITE:
		return serve_mmio(v, reason, false);
	case NIE_EXIT_SGI:
		send_sgi(v);
		return true;
	case NIE_EXIT_IRQ: /* taken when interrupts came on again */
		return true;
	default:
		return false;
	}
}

static void turn_on(struct nie_vm *vm, u64 index)
{
	if (index >= vm->vcpus || !vm->vcpu[index])
		return;
	WRITE_ONCE(vm->vcpu[index]->turned_on, vm->vcpu[index]->turned_on + 1);
	nie_notify(vm, 1U << index);
}

/* Tell the monitor. */
static void to_user(struct nie_vcpu *v, u32 reason)
{
	u32 i;

	v->state->reason = reason;
	v->state->width = READ_ONCE(v->run[RUN_OUT_WIDTH]);
	v->state->ipa = READ_ONCE(v->run[RUN_OUT_IPA]);
	v->state->value = READ_ONCE(v->run[RUN_OUT_VALUE]);
	for (i = 0; i < ARRAY_SIZE(v->state->x); i++)
		v->state->x[i] = READ_ONCE(v->run[RUN_OUT_X0 + i]);
	v->from_user = reason == NIE_EXIT_MMIO_READ || reason == NIE_EXIT_MMIO_WRITE ||
		       reason == NIE_EXIT_HOST_CALL;
}

/* After an exit: true when RUN returns to the monitor. */
static bool serve(struct nie_vcpu *v)
{
	u64 reason = READ_ONCE(v->run[RUN_OUT_REASON]);

	switch (reason) {
	case NIE_EXIT_CPU_OFF: /* the next entry waits for CPU_ON */
		return false;
	case NIE_EXIT_WFI:
		wait_for_interrupt(v);
		return false;
	case NIE_EXIT_CPU_ON:
		turn_on(v->vm, READ_ONCE(v->run[RUN_OUT_VALUE]));
		return false;
	case NIE_EXIT_MMIO_READ:
	case NIE_EXIT_MMIO_WRITE:
		if (serve_mmio(v, reason, true))
			return false;
		break;
	case NIE_EXIT_SYSTEM_OFF:
	case NIE_EXIT_SYSTEM_RESET:
		WRITE_ONCE(v->vm->stopped, true);
		nie_notify(v->vm, ~0U);
		break;
	}
	to_user(v, reason);
	return true;
}

static void user_answer(struct nie_vcpu *v)
{
	u32 i;

	if (!v->from_user)
		return;
	for (i = 0; i < ARRAY_SIZE(v->x); i++)
		v->x[i] = READ_ONCE(v->state->answer[i]);
	v->answer = true;
	v->from_user = false;
}

/*
 * The engine may know before us: another vCPU powered the VM off, and its thread is about to say so. Only a VM
 * that is not ACTIVE is refused, and none goes back to BUILDING.
 */
static bool stopped_by_itself(struct nie_vcpu *v)
{
	struct nie_regs r = { .x = { NIE_VM_INFO, v->vm->index } };

	return nie_hvc(&r) == NIE_OK && (r.x[1] & 0xff) == NIE_VM_STOPPED;
}

int nie_vcpu_run(struct nie_vcpu *v)
{
	u32 seen;
	u64 status;

	user_answer(v);
	for (;;) {
		if (READ_ONCE(v->vm->stopped)) {
			v->state->reason = NIE_UEXIT_STOPPED;
			return 0;
		}
		if (signal_pending(current))
			return -EINTR;
		cond_resched();
		/* Before the attempt: a CPU_ON that comes after a refusal is not missed. */
		seen = READ_ONCE(v->turned_on);
		status = nie_enter(v);
		if (status == NIE_OK && serve(v))
			return 0;
		if (status == NIE_OK || status == NIE_NOT_ENTERED)
			continue;
		if (status == NIE_E_VCPU_STATE) {
			wait_event_interruptible(v->wait, READ_ONCE(v->vm->stopped) ||
								  READ_ONCE(v->turned_on) != seen);
			continue;
		}
		if (status == NIE_E_VM_STATE && stopped_by_itself(v)) {
			wait_event_interruptible(v->wait, READ_ONCE(v->vm->stopped));
			continue;
		}
		pr_warn("nie: VM %u vCPU %u: VCPU_RUN refused: %s\n", v->vm->index, v->index,
			nie_cause(status));
		return -EIO;
	}
}
