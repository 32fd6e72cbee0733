/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: all CPUs at once, then CPU 0 alone checks. What an operation is depends on the seed and its number only. */
#include "fuzz.h"

const volatile struct params params __attribute__((
	section(".data"))) = { .mark = "nie-fuzz-params", .batches = 4, .ops = 64, .cpus = 15 };
struct worker workers[CPUS];
uint64_t batch;

/* The emulator, when it runs one CPU at a time, goes to the next one when a timer is due. */
void slice(struct worker *w)
{
	uint64_t ns = params.slice;

	if (ns != 0)
		__asm__ volatile("msr cntp_tval_el0, %0\n\tmsr cntp_ctl_el0, %1\n\tisb"
				 :
				 : "r"(1 + below(w, ns)), "r"(3ULL));
}

struct answer make_call(struct worker *w, const struct call *c)
{
	const uint64_t *a = c->a;
	uint64_t f = (c->function & 0xffffffff) - NIE_VERSION;
	bool moves = f == NIE_VCPU_CREATE - NIE_VERSION || f == NIE_VCPU_DESTROY - NIE_VERSION;
	struct call *last = &w->ring[w->count++ % RING];
	struct answer r;

	*last = *c;
	last->status = ~0ULL;
	if (moves)
		epoch_start(a[0], a[1]);
	return_begins(c);
	slice(w);
	r = hvc(c->function, a[0], a[1], a[2], a[3], a[4], a[5]);
	last->status = r.x[0];
	last->x1 = r.x[1];
	if (r.x[0] >= STATUSES || (f >= FUNCTIONS) != (r.x[0] == NIE_E_CALL))
		broken(w, "status of a call", r.x[0], c->function);
	w->status[f < FUNCTIONS ? f : FUNCTIONS][r.x[0]]++;
	if (r.x[0] == NIE_OK)
		model_apply(w, c, &r);
	return_ends(c);
	if (moves)
		epoch_end(a[0], a[1]);
	state_seen(w, &(struct call){ c->function, { a[0] }, r.x[0], 0 });
	return r;
}

/* VCPU_RUN goes by another way: the CPU is away as long as the VM runs. */
static void issue(struct worker *w, struct call c)
{
	if (!permitted(w, c.function, c.a))
		return;
	if ((c.function & 0xffffffff) == NIE_VCPU_RUN)
		run_vcpu(w, c.a[0], c.a[1]);
	else
		make_call(w, &c);
}

/* Look at, and write to, any page: it is the host's, or it faults. Only pages of this CPU's share are written. */
static void touch(struct worker *w)
{
	uint64_t page = ARENA + below(w, ARENA_PAGES) * PAGE, value;

	w->probes++;
	if (page < RECORDS && (page - ARENA) / (64 * PAGE) % CPUS == w->cpu) {
		for (uint32_t i = 0; i < 8; i++)
			try_store(page + below(w, 512) * 8, HOST_MARK);
	}
	if (try_load(page + below(w, 512) * 8, &value) == 0 && value >> 48 == SECRET_MARK)
		broken(w, "the host reads a secret", value, page);
}

/* Firmware calls, but for those that the host could make and lose itself by. */
static void firmware(struct worker *w)
{
	static const uint32_t functions[] = { 0x84000000, 0x80000000, 0x8400000a, 0xc4000004,
					      0x84000006, 0x84000008, 0x84000009, 0xc4000012 };
	uint64_t function = chance(w, 80) ? functions[below(w, 8)] : next(w);
	uint64_t answer;

	if ((function & 0xffffffff) == 0x84000002)
		return;
	w->smcs++;
	answer = smc(function, next(w) >> below(w, 64), below(w, 4), next(w));
	/* The victims are there: no power off, no reset. */
	if ((function == 0x84000008 || function == 0x84000009) && (uint32_t)answer != (uint32_t)-3)
		broken(w, "power off or reset is not denied", answer, function);
}

static void operation(struct worker *w)
{
	uint64_t i = pick_vm(w), kind = below(w, 100);
	struct call c = { NIE_VERSION + below(w, FUNCTIONS), { 0 }, 0, 0 };

	if (kind < 20) {
		issue(w, enter_some(w));
	} else if (kind < 65) {
		issue(w, advance(w, i));
	} else if (kind < 80) {
		c = advance(w, i);
		for (uint64_t n = 1 + below(w, 2); n > 0; n--) {
			uint32_t which = (uint32_t)below(w, 6);

			c.a[which] = pick_argument(w, c.function, which);
		}
		issue(w, c);
	} else if (kind < 88) {
		if (chance(w, 5))
			c.function = next(w);
		for (uint32_t n = 0; n < 6; n++)
			c.a[n] = pick_argument(w, c.function, n);
		issue(w, c);
	} else if (kind < 91) {
		touch(w);
	} else if (kind < 94) {
		hold(w);
	} else if (kind < 98) {
		rob(w);
	} else {
		firmware(w);
	}
}

static uint64_t work(uint64_t cpu)
{
	struct worker *w = &workers[cpu];

	for (uint64_t op = 0; op < params.ops; op++) {
		if ((params.skip_op[cpu][op / 64] >> op % 64 & 1) != 0)
			continue;
		random_start(w, batch, op);
		slice(w);
		operation(w);
	}
	return 0;
}

/* CPUs sleep while they have nothing to do: the emulator's time is then others'. */
static volatile struct {
	uint64_t begun, done;
	uint64_t (*job)(uint64_t);
} jobs[CPUS];

static uint64_t serve_jobs(uint64_t cpu)
{
	for (;;) {
		while (jobs[cpu].begun == jobs[cpu].done) {
			__asm__ volatile("dsb ish\n\twfi");
			acknowledge();
		}
		if (jobs[cpu].job == NULL)
			return 0;
		jobs[cpu].job(cpu);
		__asm__ volatile("dmb ish" : : : "memory");
		jobs[cpu].done = jobs[cpu].begun;
		kick(0);
	}
}

/* NULL: the CPU ends. Nothing when the CPU does not take part. */
static void start_job(uint32_t cpu, uint64_t (*job)(uint64_t))
{
	if ((params.cpus >> cpu & 1) == 0)
		return;
	jobs[cpu].job = job;
	jobs[cpu].begun++;
	__asm__ volatile("dmb ish" : : : "memory");
	kick(cpu);
}

static void wait_job(uint32_t cpu)
{
	while (jobs[cpu].begun != jobs[cpu].done) {
		__asm__ volatile("dsb ish\n\twfi");
		acknowledge();
	}
	__asm__ volatile("dmb ish" : : : "memory");
}

/* A victim reports within a few entries, whatever the others do, and finds all as it was. */
static void check_victim(struct worker *w, uint32_t i)
{
	uint64_t entries = 0;

	for (uint32_t n = RUN_IN_FLAGS; n < RUN_IN_END; n++)
		in(i, 0, n, 0);
	do {
		if (CALL(VCPU_RUN, i, 0) != NIE_OK || entries++ > PACE)
			broken(w, "a victim does not go on", out(i, 0, RUN_OUT_REASON), entries);
		acknowledge();
	} while (out(i, 0, RUN_OUT_REASON) == NIE_EXIT_IRQ);
	if (out(i, 0, RUN_OUT_REASON) != NIE_EXIT_HOST_CALL ||
	    out(i, 0, RUN_OUT_X0 + 1) != REPORT_INTACT)
		broken(w, "a victim does not report", out(i, 0, RUN_OUT_REASON), i);
	if (out(i, 0, RUN_OUT_X0 + 2) != 0)
		broken(w, "a victim counts wrong words or registers", out(i, 0, RUN_OUT_X0 + 2), i);
	w->pace++;
}

/* One victim goes on while a hostile VM, if there is one, runs on another CPU; the other one alone. */
static uint64_t run_hostile(uint64_t unused)
{
	struct worker *w = &workers[1];

	(void)unused;
	for (uint32_t n = 0; n < 4; n++)
		run_vcpu(w, WORKERS + n % 2, 0);
	return 0;
}

static void check_victims(struct worker *w)
{
	alarm(0);
	acknowledge();
	start_job(1, run_hostile);
	for (uint32_t n = 0; n < 4; n++)
		check_victim(w, 0);
	wait_job(1);
	for (uint32_t i = 0; i < VICTIMS; i++)
		check_victim(w, i);
}

static void one_batch(void)
{
	struct worker *w = &workers[0];

	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		start_job(cpu, work);
	if ((params.cpus & 1) != 0)
		work(0);
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		wait_job(cpu);
	random_start(w, batch, OPS_MAX - 1);
	model_check(w, batch % 16 == 15);
	check_victims(w);
	for (uint64_t i = VICTIMS; i < NIE_MAX_VMS; i++) {
		if (chance(w, i < WORKERS ? 12 : 50) && (CALL_X1(VM_INFO, i) & 255) != NIE_VM_FREE)
			reap(w, i);
	}
}

TEST(fuzz)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		workers[cpu].cpu = cpu;
	for (uint32_t i = 0; i < VICTIMS; i++)
		victim(i);
	model_victims();
	for (uint32_t cpu = 1; cpu < CPUS; cpu++)
		on_cpu(cpu, serve_jobs, cpu);
	for (batch = 0; batch < params.batches; batch++) {
		if (batch < BATCHES_MAX && (params.skip_batch[batch / 64] >> batch % 64 & 1) != 0)
			continue;
		if (batch % 4 == 0)
			print_count("batch", batch, 0, workers[0].count + 1);
		one_batch();
	}
	for (uint32_t cpu = 1; cpu < CPUS; cpu++) {
		jobs[cpu].job = NULL;
		jobs[cpu].begun++;
		kick(cpu);
		wait_cpu(cpu);
	}
	/* The victims last, like any other: everything comes back. */
	for (uint32_t i = NIE_MAX_VMS; i-- > 0;) {
		if ((CALL_X1(VM_INFO, i) & 255) != NIE_VM_FREE)
			reap(&workers[0], i);
		if (i < VICTIMS)
			vm[i].vcpus = 0;
	}
	model_check(&workers[0], true);
	print_counts();
}
