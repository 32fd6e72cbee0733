// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random edges, kicks, exits and migrations of routes on four vCPUs: every edge is taken at least once after
 * it was raised and no interrupt is active or listed at two vCPUs; in the end nothing is left.
 */
#include "test.h"

enum { CPUS = 4, STEPS = 200000, FIRST = 32, LAST = VGIC_INTIDS };

static u64 seed = 0x9e3779b97f4a7c15;

static u32 rnd(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 32) % below;
}

struct world {
	struct vgic v;
	struct face f[CPUS];
	bool in[CPUS];
	u32 stack[CPUS][VGIC_INTIDS + 1];
	u32 depth[CPUS];
	bool owed[VGIC_INTIDS]; /* raised and not taken since */
};

static void invariant(const struct vgic *v)
{
	const struct vgic_bank *b;
	u32 i, cpu, seen;

	for (i = 0; i < VGIC_BANKS - 1; i++) {
		b = &v->spi[i];
		seen = 0;
		for (cpu = 0; cpu < VGIC_CPUS; cpu++) {
			if (seen & b->held[cpu])
				CHECK(!"held twice");
			seen |= b->held[cpu];
		}
		if (seen != (b->active | b->listed))
			CHECK(!"held is active or listed");
	}
}

static void leave_enter(struct world *w, u32 cpu)
{
	if (w->in[cpu])
		leave(&w->f[cpu]);
	else
		enter(&w->f[cpu]);
	w->in[cpu] = !w->in[cpu];
}

static void take(struct world *w, u32 cpu)
{
	u32 got;

	if (!w->in[cpu])
		return;
	got = ack(&w->f[cpu]);
	if (got == SPURIOUS)
		return;
	w->owed[got] = false;
	w->stack[cpu][w->depth[cpu]++] = got;
}

static void finish(struct world *w, u32 cpu)
{
	if (w->in[cpu] && w->depth[cpu])
		eoi(&w->f[cpu], w->stack[cpu][--w->depth[cpu]]);
	if (w->in[cpu] && maintenance(&w->f[cpu])) {
		leave_enter(w, cpu);
		leave_enter(w, cpu);
	}
}

static void raise_edge(struct world *w)
{
	u32 intid = FIRST + rnd(LAST - FIRST);

	vgic_line(&w->v, 0, intid, true);
	vgic_line(&w->v, 0, intid, false);
	w->owed[intid] = true;
}

static void step(struct world *w)
{
	u32 cpu = rnd(CPUS), intid;

	switch (rnd(6)) {
	case 0:
		raise_edge(w);
		break;
	case 1:
		leave_enter(w, cpu);
		break;
	case 2:
	case 3:
		take(w, cpu);
		break;
	case 4:
		finish(w, cpu);
		break;
	case 5:
		intid = FIRST + rnd(LAST - FIRST);
		if (!rnd(8))
			wr(&w->v, cpu, NIE_GICD_BASE + 0x6000 + 8 * intid, rnd(CPUS));
		break;
	}
	invariant(&w->v);
}

static void drain(struct world *w)
{
	u32 round, cpu, i, left = 0;

	for (round = 0; round < 4 * VGIC_INTIDS; round++) {
		for (cpu = 0; cpu < CPUS; cpu++) {
			leave_enter(w, cpu);
			if (!w->in[cpu])
				leave_enter(w, cpu);
			finish(w, cpu);
			take(w, cpu);
		}
	}
	for (i = FIRST; i < LAST; i++)
		left += w->owed[i];
	CHECK(left == 0);
	CHECK(vgic_wanted(&w->v) == 0);
}

static void test_edges(void)
{
	static struct world w;
	u32 i;

	fresh(&w.v, CPUS);
	for (i = 0; i < CPUS; i++)
		face_init(&w.f[i], &w.v, i);
	for (i = FIRST; i < LAST; i += 16)
		wr(&w.v, 0, NIE_GICD_BASE + 0xc00 + i / 4, ~0u);
	for (i = FIRST; i < LAST; i++)
		enable(&w.v, 0, i, 8 * rnd(28));
	for (i = 0; i < STEPS; i++)
		step(&w);
	drain(&w);
}

void test_random(void)
{
	run("edges", test_edges);
}
