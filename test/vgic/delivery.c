// SPDX-License-Identifier: GPL-2.0-only
/* One interrupt at a time: edges, levels, software-generated ones, the timer, routing, withdrawal. */
#include "test.h"

static void test_level(void)
{
	struct vgic v;
	struct face f;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	CHECK(vgic_line(&v, 0, 33, true) == 0); /* not enabled yet */
	enable(&v, 0, 33, 0xa0);
	CHECK(vgic_wanted(&v) == 1);
	enter(&f);
	CHECK((f.lr[0] & LR_EOI) && !(f.lr[0] & LR_HW) && (f.lr[0] & LR_GROUP1));
	CHECK(ack(&f) == 33 && ack(&f) == SPURIOUS);
	leave(&f);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x304) == 2);
	CHECK(vgic_wanted(&v) == 0); /* still high, but active */
	enter(&f);
	CHECK((f.lr[0] & LR_ACTIVE) && !(f.lr[0] & LR_PENDING));
	eoi(&f, 33);
	CHECK(maintenance(&f)); /* so that the line is looked at again */
	leave(&f);
	CHECK(vgic_wanted(&v) == 1);
	enter(&f);
	CHECK(ack(&f) == 33);
	vgic_line(&v, 0, 33, false);
	eoi(&f, 33);
	leave(&f);
	CHECK(vgic_wanted(&v) == 0 && rd(&v, 0, NIE_GICD_BASE + 0x304) == 0);
	/* A level that falls before it is taken is not delivered. */
	vgic_line(&v, 0, 33, true);
	enter(&f);
	vgic_line(&v, 0, 33, false);
	leave(&f);
	CHECK(vgic_wanted(&v) == 0);
}

static void test_edge(void)
{
	struct vgic v;
	struct face f;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	enable(&v, 0, 34, 0xa0);
	wr(&v, 0, NIE_GICD_BASE + 0xc08, 2 << 4);
	CHECK(vgic_line(&v, 0, 34, true) == 1);
	CHECK(vgic_line(&v, 0, 34, false) == 0);
	enter(&f);
	CHECK(!(f.lr[0] & LR_EOI));
	CHECK(ack(&f) == 34);
	CHECK(vgic_line(&v, 0, 34, true) == 1); /* its list register holds the edge before */
	eoi(&f, 34);
	leave(&f);
	CHECK(vgic_wanted(&v) == 1); /* the second edge is not lost */
	enter(&f);
	leave(&f); /* not taken: comes back */
	enter(&f);
	CHECK(ack(&f) == 34);
	vgic_line(&v, 0, 34, false);
	vgic_line(&v, 0, 34, true);
	leave(&f);
	enter(&f);
	CHECK((f.lr[0] & LR_ACTIVE) && (f.lr[0] & LR_PENDING)); /* active, and once more pending */
	eoi(&f, 34);
	CHECK(ack(&f) == 34);
	eoi(&f, 34);
	leave(&f);
	CHECK(vgic_wanted(&v) == 0); /* a high line alone is no edge */
}

/* What list registers hide: a read of the states asks for an exit first, and then tells the truth. */
static void test_hiding(void)
{
	struct vgic v;
	struct face f;
	u32 folds;

	fresh(&v, 2);
	face_init(&f, &v, 1);
	enable(&v, 0, 34, 0xa0);
	wr(&v, 0, NIE_GICD_BASE + 0xc08, 2 << 4);
	wr(&v, 0, NIE_GICD_BASE + 0x6000 + 8 * 34, 1);
	CHECK(vgic_line(&v, 0, 34, true) == 2);
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x204) == 0);
	enter(&f);
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x204) == 2); /* ISPENDR, ICPENDR */
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x284) == 2);
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x304) == 2); /* ISACTIVER, ICACTIVER */
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x384) == 2);
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x208) == 0); /* no other bank */
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x104) == 0); /* nor what no list register has */
	CHECK(vgic_hiding(&v, NIE_GICD_BASE + 0x420) == 0);
	CHECK(vgic_hiding(&v, SGI_FRAME(1) + 0x200) == 0);
	CHECK(vgic_hiding(&v, NIE_GICD_BASE - 4) == 0);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x204) == 4);
	CHECK(ack(&f) == 34);
	folds = v.cpu[1].folds;
	leave(&f);
	CHECK(v.cpu[1].folds == folds + 1 && vgic_hiding(&v, NIE_GICD_BASE + 0x204) == 0);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x204) == 0 && rd(&v, 0, NIE_GICD_BASE + 0x304) == 4);
	/* Also when it was entered again meanwhile: listed as active, not as pending. */
	enter(&f);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x204) == 0 && rd(&v, 0, NIE_GICD_BASE + 0x304) == 4);
	eoi(&f, 34);
	leave(&f);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x304) == 0);
}

/* An SGI is hidden in its own vCPU's frame only. */
static void test_hiding_sgi(void)
{
	struct vgic v;
	struct face f;

	fresh(&v, 2);
	face_init(&f, &v, 1);
	enable(&v, 1, 3, 0xa0);
	vgic_sgi(&v, 0, 3ULL << 24 | 1 << 1);
	enter(&f);
	CHECK(vgic_hiding(&v, SGI_FRAME(1) + 0x200) == 2 &&
	      vgic_hiding(&v, SGI_FRAME(0) + 0x200) == 0);
	leave(&f);
}

static void test_sgi(void)
{
	struct vgic v;
	struct face f;
	u32 i;

	fresh(&v, 4);
	for (i = 0; i < 4; i++)
		enable(&v, i, 5, 0x80);
	CHECK(vgic_sgi(&v, 0, 5 << 24 | 0xc) == 0xc);
	CHECK(vgic_sgi(&v, 1, 5ULL << 24 | 1ULL << 40) == 0xd); /* all but itself */
	CHECK(vgic_sgi(&v, 1, 6 << 24 | 0xf) == 0xd); /* 6 is not enabled: nothing new */
	face_init(&f, &v, 1);
	enter(&f);
	CHECK(f.lr[0] == 0);
	leave(&f);
	CHECK(vgic_sgi(&v, 0, 5 << 24 | 1 << 16 | 2) == 0xd); /* cluster 1 has nobody */
	CHECK(vgic_sgi(&v, 0, 5 << 24 | 2) == 0xf);
	enter(&f);
	CHECK(ack(&f) == 5);
	eoi(&f, 5);
	leave(&f);
	CHECK(vgic_wanted(&v) == 0xd);
	CHECK(vgic_sgi(&v, 0, 5ULL << 24 | 0xfff0) == 0xd); /* vCPUs that do not exist */
}

static void test_timer(void)
{
	struct vgic v;
	struct face f;

	fresh(&v, 2);
	face_init(&f, &v, 1);
	enable(&v, 1, VGIC_VTIMER, 0xa0);
	CHECK(vgic_line(&v, 1, VGIC_VTIMER, true) == 2);
	enter(&f);
	CHECK((f.lr[0] & LR_HW) && (f.lr[0] >> LR_PINTID_SHIFT & 0x1fff) == 27);
	CHECK(ack(&f) == VGIC_VTIMER);
	leave(&f);
	enter(&f);
	CHECK((f.lr[0] & LR_HW) && (f.lr[0] >> 62) == 2); /* never both with HW */
	eoi(&f, VGIC_VTIMER);
	leave(&f);
	CHECK(vgic_wanted(&v) == 2); /* the line is still high */
	CHECK(vgic_line(&v, 1, VGIC_VTIMER, false) == 0);
	CHECK(vgic_wanted(&v) == 0);
}

static void test_wakes(void)
{
	struct vgic v;
	struct face f;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	enable(&v, 0, 33, 0xa0);
	f.vmcr = 0xf0000000;
	enter(&f);
	leave(&f);
	vgic_line(&v, 0, 33, true);
	CHECK(!vgic_wakes(&v, 0)); /* group 1 is off at the CPU interface */
	f.vmcr = 0xa0000002;
	enter(&f);
	leave(&f);
	CHECK(!vgic_wakes(&v, 0)); /* masked by priority */
	f.vmcr = 0xa8000002;
	enter(&f);
	leave(&f);
	CHECK(vgic_wakes(&v, 0));
	enter(&f);
	CHECK(ack(&f) == 33);
	leave(&f);
	CHECK(!vgic_wakes(&v, 0)); /* high, but being handled */
	enter(&f);
	eoi(&f, 33);
	leave(&f);
	CHECK(vgic_wakes(&v, 0));
	wr(&v, 0, NIE_GICD_BASE, 0);
	CHECK(!vgic_wakes(&v, 0) && vgic_wanted(&v) == 0); /* the distributor is off */
}

static void test_route(void)
{
	struct vgic v;
	struct face f0, f1;

	fresh(&v, 2);
	face_init(&f0, &v, 0);
	face_init(&f1, &v, 1);
	enable(&v, 0, 33, 0xa0);
	vgic_line(&v, 0, 33, true);
	enter(&f0);
	CHECK(ack(&f0) == 33);
	wr(&v, 1, NIE_GICD_BASE + 0x6000 + 8 * 33, 1);
	enter(&f1);
	CHECK(f1.lr[0] == 0); /* vCPU 0 has it */
	leave(&f1);
	leave(&f0);
	enter(&f1);
	CHECK(f1.lr[0] == 0); /* and keeps it until it ends it */
	leave(&f1);
	enter(&f0);
	eoi(&f0, 33);
	leave(&f0);
	CHECK(vgic_wanted(&v) == 2);
	enter(&f1);
	CHECK(ack(&f1) == 33);
	eoi(&f1, 33);
	leave(&f1);
}

static void test_withdraw(void)
{
	struct vgic v;
	struct face f;

	fresh(&v, 2);
	face_init(&f, &v, 0);
	enable(&v, 0, 3, 0xa0);
	vgic_sgi(&v, 1, 3 << 24 | 1);
	enter(&f);
	CHECK(rd(&v, 1, SGI_FRAME(0) + 0x200) == 1 << 3); /* pending, though in a list register */
	CHECK(wr(&v, 1, SGI_FRAME(0) + 0x280, 1 << 3) == 1); /* must be kicked */
	leave(&f);
	CHECK(vgic_wanted(&v) == 0);
	vgic_sgi(&v, 1, 3 << 24 | 1);
	enter(&f);
	CHECK(ack(&f) == 3);
	wr(&v, 1, SGI_FRAME(0) + 0x380, 1 << 3);
	leave(&f);
	CHECK(rd(&v, 1, SGI_FRAME(0) + 0x300) == 0);
}

static void test_soft_level(void)
{
	struct vgic v;
	struct face f;

	fresh(&v, 1);
	face_init(&f, &v, 0);
	enable(&v, 0, 35, 0xa0);
	CHECK(wr(&v, 0, NIE_GICD_BASE + 0x204, 1 << 3) == 1);
	enter(&f);
	leave(&f);
	CHECK(vgic_wanted(&v) == 1); /* not taken yet */
	enter(&f);
	CHECK(ack(&f) == 35);
	eoi(&f, 35);
	leave(&f);
	CHECK(vgic_wanted(&v) == 0); /* taken once */
}

void test_delivery(void)
{
	run("level", test_level);
	run("edge", test_edge);
	run("hiding", test_hiding);
	run("hiding_sgi", test_hiding_sgi);
	run("sgi", test_sgi);
	run("timer", test_timer);
	run("wakes", test_wakes);
	run("route", test_route);
	run("withdraw", test_withdraw);
	run("soft_level", test_soft_level);
}
