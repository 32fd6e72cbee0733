// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VM's virtual timer. While the VM runs, the CPU's own virtual timer is its; its expiry (physical interrupt
 * 27) makes the VM exit, the engine puts the host's disabled timer back, and the deadline in the run record says
 * that virtual 27 is due. It goes in through a list register bound to physical 27, which must be active
 * meanwhile, else the expired timer would end each entry at once. While the vCPU waits, an hrtimer stands in.
 */
#include <asm/sysreg.h>
#include <asm/timex.h>
#include <linux/cpuhotplug.h>
#include <linux/interrupt.h>
#include <linux/of.h>
#include <linux/of_irq.h>
#include <linux/percpu.h>
#include "nie.h"

enum { CTL_ENABLE = 1, CTL_IMASK = 2 };
/* The longest wait that is armed at once: no product below overflows. */
enum { ARM_MAX_SECONDS = 1000 };

static unsigned int irq_timer, irq_maintenance;
static int online_state;
static DEFINE_PER_CPU(int, token);
/* Whether physical 27 is active on this CPU; nothing else changes it. */
static DEFINE_PER_CPU(bool, timer_active);

static u64 counter(void)
{
	isb();
	return read_sysreg(cntpct_el0);
}

static bool on(const struct nie_vcpu *v)
{
	return (v->timer_control & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE;
}

bool nie_timer_due(const struct nie_vcpu *v)
{
	return on(v) && counter() >= v->timer_deadline;
}

void nie_timer_update(struct nie_vcpu *v)
{
	vgic_line(&v->vm->gic, v->index, VGIC_VTIMER, nie_timer_due(v));
}

static ktime_t until_deadline(const struct nie_vcpu *v)
{
	u64 now = counter(), hz = read_sysreg(cntfrq_el0), ticks;

	ticks = v->timer_deadline > now ? v->timer_deadline - now : 0;
	ticks = min_t(u64, ticks, hz * ARM_MAX_SECONDS);
	return ns_to_ktime(mul_u64_u64_div_u64(ticks, NSEC_PER_SEC, hz) + 1);
}

static enum hrtimer_restart deadline(struct hrtimer *timer)
{
	struct nie_vcpu *v = container_of(timer, struct nie_vcpu, timer);

	/* The waiter looks at the deadline itself, and may only be at a stage of a long wait. */
	wake_up(&v->wait);
	if (counter() >= v->timer_deadline)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, until_deadline(v));
	return HRTIMER_RESTART;
}

void nie_timer_setup(struct nie_vcpu *v)
{
	hrtimer_init(&v->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	v->timer.function = deadline;
}

void nie_timer_arm(struct nie_vcpu *v)
{
	if (on(v))
		hrtimer_start(&v->timer, until_deadline(v), HRTIMER_MODE_REL);
}

void nie_timer_disarm(struct nie_vcpu *v)
{
	hrtimer_cancel(&v->timer);
}

static void set_active(bool active)
{
	if (!irq_set_irqchip_state(irq_timer, IRQCHIP_STATE_ACTIVE, active))
		this_cpu_write(timer_active, active);
}

void nie_timer_before(bool due, const u64 lr[VGIC_LRS])
{
	u32 i;

	/*
	 * Also when it is due and not in a list register, because the VM has not enabled it: it would end
	 * each entry before the VM's first instruction. What makes it deliverable is an exit anyway.
	 */
	for (i = 0; i < VGIC_LRS && lr[i]; i++)
		due |= (lr[i] & LR_HW) != 0;
	if (this_cpu_read(timer_active) != due)
		set_active(due);
}

void nie_timer_after(const u64 given[VGIC_LRS], const u64 left[VGIC_LRS])
{
	u32 i;

	for (i = 0; i < VGIC_LRS && given[i]; i++) {
		/* The VM ended it: the list register deactivated the physical one too. */
		if ((given[i] & LR_HW) && !(left[i] & (LR_PENDING | LR_ACTIVE)))
			this_cpu_write(timer_active, false);
	}
}

/* Both interrupts are levels that the engine lowers at the exit; they are only there to cause one. */
static irqreturn_t lowered(int irq, void *unused)
{
	return IRQ_HANDLED;
}

static int percpu_on(unsigned int cpu)
{
	enable_percpu_irq(irq_timer, IRQ_TYPE_NONE);
	enable_percpu_irq(irq_maintenance, IRQ_TYPE_NONE);
	set_active(false); /* whatever it was */
	return 0;
}

static int percpu_off(unsigned int cpu)
{
	set_active(false);
	disable_percpu_irq(irq_maintenance);
	disable_percpu_irq(irq_timer);
	return 0;
}

static int find_interrupts(void)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "nie,engine");

	if (!node) {
		pr_err("nie: no node \"nie,engine\" in the device tree: the engine is not below\n");
		return -ENODEV;
	}
	irq_timer = irq_of_parse_and_map(node, 0);
	irq_maintenance = irq_of_parse_and_map(node, 1);
	of_node_put(node);
	if (irq_timer && irq_maintenance)
		return 0;
	pr_err("nie: the node \"nie,engine\" must have two interrupts\n");
	return -EINVAL;
}

int nie_timer_init(void)
{
	int err = find_interrupts();

	if (err)
		return err;
	err = request_percpu_irq(irq_timer, lowered, "nie-timer", &token);
	if (err)
		return err;
	err = request_percpu_irq(irq_maintenance, lowered, "nie-maintenance", &token);
	if (err)
		goto free_timer;
	online_state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "nie:online", percpu_on, percpu_off);
	if (online_state >= 0)
		return 0;
	err = online_state;
	free_percpu_irq(irq_maintenance, &token);
free_timer:
	free_percpu_irq(irq_timer, &token);
	return err;
}

void nie_timer_exit(void)
{
	cpuhp_remove_state(online_state);
	free_percpu_irq(irq_maintenance, &token);
	free_percpu_irq(irq_timer, &token);
}
