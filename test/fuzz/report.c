/* SPDX-License-Identifier: Apache-2.0 */
/* Random numbers, what a failure prints, and the counts at the end. */
#include "fuzz.h"

void random_start(struct worker *w, uint64_t number, uint64_t op)
{
	w->random = params.seed * 0xd1342543de82ef95ULL + ((number * CPUS + w->cpu) * OPS_MAX + op);
	next(w);
	next(w);
}

uint64_t next(struct worker *w)
{
	uint64_t x = w->random += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

uint64_t below(struct worker *w, uint64_t n)
{
	return next(w) % n;
}

bool chance(struct worker *w, uint64_t percent)
{
	return below(w, 100) < percent;
}

static void print_call(const struct call *c)
{
	print_hex(c->function);
	for (uint32_t i = 0; i < 6; i++) {
		print(" ");
		print_hex(c->a[i]);
	}
	print(" = ");
	print_hex(c->status);
	print(" ");
	print_hex(c->x1);
	print("\n");
}

void broken(struct worker *w, const char *what, uint64_t is, uint64_t want)
{
	static uint64_t first;

	while (__atomic_exchange_n(&first, 1, __ATOMIC_SEQ_CST) != 0) {
		for (;;)
			__asm__ volatile("wfi");
	}
	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		print("\nlast calls of CPU ");
		print_hex(cpu);
		print("\n");
		for (uint64_t n = 0; n < RING; n++)
			print_call(&workers[cpu].ring[(workers[cpu].count + n) % RING]);
	}
	print("\nfailed-in-batch ");
	print_hex(batch);
	print(" cpu ");
	print_hex(w->cpu);
	fail(__FILE__, __LINE__, what, is, want);
}

/* One line a number, for tools/cmd/fuzz. */
void print_count(const char *what, uint64_t a, uint64_t b, uint64_t count)
{
	if (count == 0)
		return;
	print(what);
	print(" ");
	print_hex(a);
	print(" ");
	print_hex(b);
	print(" ");
	print_hex(count);
	print("\n");
}

void print_counts(void)
{
	uint64_t smcs = 0, probes = 0, pace = 0;

	for (uint32_t f = 0; f <= FUNCTIONS; f++) {
		for (uint32_t s = 0; s < STATUSES; s++) {
			uint64_t n = 0;

			for (uint32_t cpu = 0; cpu < CPUS; cpu++)
				n += workers[cpu].status[f][s];
			print_count("call", f, s, n);
		}
	}
	for (uint32_t e = 0; e < EXITS; e++) {
		uint64_t n = 0;

		for (uint32_t cpu = 0; cpu < CPUS; cpu++)
			n += workers[cpu].exits[e];
		print_count("exit", e, 0, n);
	}
	for (uint32_t cpu = 0; cpu < CPUS; cpu++) {
		smcs += workers[cpu].smcs;
		probes += workers[cpu].probes;
		pace += workers[cpu].pace;
	}
	print_count("smc", 0, 0, smcs);
	print_count("touch", 0, 0, probes);
	print_count("pace", 0, 0, pace);
}
