// SPDX-License-Identifier: GPL-2.0-only
/* More interrupts than list registers: order, refilling, and ends of interrupts that are in none. */
#include "test.h"

static void make_edges(struct vgic *v)
{
	u32 i;

	for (i = 0; i < 16; i++)
		wr(v, 0, NIE_GICD_BASE + 0xc08 + 4 * (i / 16), ~0u);
	wr(v, 0, NIE_GICD_BASE + 0xc0c, ~0u);
}

static void test_order(void)
{
	struct vgic v;
	struct face f;
	u32 i, last = 0, got;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	make_edges(&v);
	for (i = 0; i < 20; i++) {
		enable(&v, 0, 32 + i, 8 * ((i * 7) % 20));
		vgic_line(&v, 0, 32 + i, true);
	}
	for (i = 0; i < 20; i++) {
		enter(&f);
		CHECK(!(f.hcr & HCR_UIE) == (i >= 16)); /* more to come than fit */
		got = ack(&f);
		CHECK(got != SPURIOUS && (i == 0 || v.spi[0].priority[got - 32] > last));
		last = v.spi[0].priority[got - 32];
		eoi(&f, got);
		leave(&f);
	}
	CHECK(vgic_wanted(&v) == 0);
}

/* Without an exit in between: the maintenance interrupt asks for the rest. */
static void test_refill(void)
{
	struct vgic v;
	struct face f;
	u32 i, got, taken = 0, exits = 0;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	make_edges(&v);
	for (i = 0; i < 20; i++) {
		enable(&v, 0, 32 + i, 0xa0);
		vgic_line(&v, 0, 32 + i, true);
	}
	enter(&f);
	while (exits < 100) {
		got = ack(&f);
		if (got != SPURIOUS) {
			taken++;
			eoi(&f, got);
		}
		if (!maintenance(&f) && got == SPURIOUS)
			break;
		if (maintenance(&f)) {
			leave(&f);
			enter(&f);
			exits++;
		}
	}
	CHECK(taken == 20);
	CHECK(exits >= 4 && exits <= 10);
}

/* Six nested interrupts: the least urgent active ones have no list register when they end. */
static void test_nesting(void)
{
	struct vgic v;
	struct face f;
	u32 i, mask;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	make_edges(&v);
	for (i = 0; i < 6; i++) {
		enable(&v, 0, 32 + i, 0xa0 - 0x10 * i);
		vgic_line(&v, 0, 32 + i, true);
		enter(&f);
		CHECK(ack(&f) == 32 + i);
		leave(&f);
	}
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x304) == 0x3f);
	enter(&f);
	CHECK(f.hcr & HCR_LRENPIE);
	mask = 0x3f;
	for (i = 6; i-- > 0;) {
		eoi(&f, 32 + i);
		mask &= ~(1u << i);
		if (maintenance(&f)) {
			leave(&f);
			CHECK(rd(&v, 0, NIE_GICD_BASE + 0x304) == mask);
			enter(&f);
		}
	}
	leave(&f);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x304) == 0 && v.spi[0].held[0] == 0);
}

/* A more urgent one goes in although four are active. */
static void test_preempt(void)
{
	struct vgic v;
	struct face f;
	u32 i;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	for (i = 0; i < 4; i++) {
		enable(&v, 0, 33 + i, 0xa0 - 0x10 * i);
		vgic_line(&v, 0, 33 + i, true);
		enter(&f);
		CHECK(ack(&f) == 33 + i);
		leave(&f);
	}
	enable(&v, 0, 2, 0x20);
	CHECK(vgic_sgi(&v, 0, 2 << 24 | 1) == 1);
	enter(&f);
	CHECK(ack(&f) == 2);
	leave(&f);
}

void test_overflow(void)
{
	run("order", test_order);
	run("refill", test_refill);
	run("nesting", test_nesting);
	run("preempt", test_preempt);
}
