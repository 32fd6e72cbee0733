/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The VM's timer: when it waits the host learns the deadline, when it runs the timer's interrupt takes it out; either way
 * the host makes virtual 27 pending, linked to physical 27, which the VM's end of interrupt deactivates.
 */
#include "vm.h"

/* guest_timer's interval. */
enum { TICKS = 10000000, ISACTIVER0 = GICR + 0x10300, TIMER = 1 << 27, ENABLED = 1, EXPIRED = 4 };

static volatile uint32_t *active(void)
{
	return (volatile uint32_t *)ISACTIVER0;
}

static uint64_t now(void)
{
	uint64_t value;

	__asm__ volatile("isb\n\tmrs %0, cntpct_el0" : "=r"(value));
	return value;
}

static uint64_t own_timer(void)
{
	uint64_t value;

	__asm__ volatile("mrs %0, cntv_ctl_el0" : "=r"(value));
	return value;
}

/* As the host's module does: mark the physical one active, make the virtual one pending. */
static void deliver(uint32_t i)
{
	*active() = TIMER;
	in(i, 0, RUN_IN_LR0, 1ULL << 62 | 1ULL << 61 | 1ULL << 60 | 27ULL << 32 | 27);
	CHECK_EQ(expect_report(i, 0, REPORT_VALUE), 27);
	CHECK_EQ(*active() & TIMER, 0);
	CHECK_EQ(out(i, 0, RUN_OUT_LR0) >> 62, 0);
	CHECK_EQ(out(i, 0, RUN_OUT_CNTV_CTL) & ENABLED, 0);
	in(i, 0, RUN_IN_LR0, 0);
}

/* Run until the timer is due; returns true when the VM waited for it. */
static bool until_due(uint32_t i)
{
	for (;;) {
		CHECK_EQ(CALL(VCPU_RUN, i, 0), NIE_OK);
		acknowledge();
		CHECK_EQ(own_timer() & ENABLED, 0);
		CHECK_EQ(out(i, 0, RUN_OUT_CNTV_CTL) & ENABLED, ENABLED);
		if (out(i, 0, RUN_OUT_REASON) == NIE_EXIT_WFI) {
			CHECK(out(i, 0, RUN_OUT_CNTV_CVAL) <= now() + TICKS);
			while (now() < out(i, 0, RUN_OUT_CNTV_CVAL))
				;
			return true;
		}
		CHECK_EQ(out(i, 0, RUN_OUT_REASON), NIE_EXIT_IRQ);
		if ((out(i, 0, RUN_OUT_CNTV_CTL) & EXPIRED) != 0)
			return false;
	}
}

TEST(good_vcpu_run_timer)
{
	uint32_t waited = 0;

	vm_start(0, 1, guest_timer, 0);
	vm_start(1, 1, guest_timer, 1);
	expect_report(0, 0, REPORT_READY);
	expect_report(1, 0, REPORT_READY);
	for (uint32_t n = 0; n < 5; n++) {
		waited += until_due(0);
		deliver(0);
		CHECK(!until_due(1));
		deliver(1);
	}
	/* On a slow machine the time may be over before the VM can wait; not always. */
	CHECK(waited != 0);
}
