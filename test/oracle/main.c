/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Episodes: a machine boots, then exceptions come on its CPUs. A profile says how; those under which the core took
 * a branch, or took it more often, than under any before are kept and bent further.
 * usage: native SEED CALLS [CALLS-IN-AN-EPISODE]
 */
#include "oracle.h"
#include <stdlib.h>
#include <string.h>

enum { KEPT = 256, EDGES = 1 << 16 };
static uint8_t *counters, *counters_end;
static uint8_t met[EDGES];
static struct profile kept[KEPT];
static uint32_t kept_count;
static uint64_t edges;

/* clang's -fsanitize-coverage=inline-8bit-counters, of engine/core alone. */
void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop);
void __sanitizer_cov_8bit_counters_init(uint8_t *start, uint8_t *stop)
{
	static uint8_t *all_start;

	/* One call for each object; they lie one after the other. */
	if (all_start == NULL || start < all_start)
		all_start = start;
	counters = all_start;
	if (stop > counters_end)
		counters_end = stop;
}

/* How often, in powers of two. */
static uint8_t bucket(uint8_t n)
{
	uint8_t b = 0;

	while (n >> b != 0)
		b++;
	return (uint8_t)(1 << b >> 1);
}

/* Is there an edge that was not met before, or not as often? */
static bool news(void)
{
	bool any = false;

	for (size_t i = 0; i < (size_t)(counters_end - counters) && i < EDGES; i++) {
		uint8_t b = bucket(counters[i]);

		if ((met[i] & b) != b) {
			edges += met[i] == 0;
			met[i] |= b;
			any = true;
		}
	}
	return any;
}

static bool off[NIE_MAX_CPUS];

static void start(uint32_t cpu)
{
	running_cpu = cpu;
	log_start(cpu);
	cpu_start(cpu);
	log_after(cpu, 0);
	off[cpu] = false;
}

static uint32_t a_cpu(void)
{
	for (;;) {
		uint32_t cpu = (uint32_t)below(CPUS);

		if (!off[cpu])
			return cpu;
	}
}

static void step(const struct profile *p)
{
	uint32_t cpu = a_cpu();
	uint32_t kind, result, on = 0;

	running_cpu = cpu;
	kind = generate(cpu, p);
	for (uint32_t c = 0; c < CPUS; c++)
		on += !off[c];
	/* The last CPU does not turn itself off. */
	if (on == 1 && (uint32_t)cpus[cpu].x[0] == 0x84000002 && cpus[cpu].vm == CPU_HOST)
		cpus[cpu].x[0] = 0;
	log_before(cpu, kind);
	/* The vectors ask quick() first; trap() must do the same. */
	result = below(2) == 0 && quick(cpu, kind) ? TRAP_RESUME : trap(cpu, kind);
	log_after(cpu, result);
	if (result == TRAP_CPU_OFF)
		off[cpu] = true;
	for (uint32_t c = 0; c < CPUS; c++) {
		if (off[c] && cpus[c].started != 0)
			start(c);
	}
}

static void episode(uint64_t seed, const struct profile *p, uint64_t calls)
{
	uint32_t result;

	/* Manifests that are refused, mostly, before the one that is not. */
	for (uint64_t n = below(4); n > 0; n--) {
		machine_reset(rnd());
		manifest_bend();
		log_boot();
		result = boot();
		log_after(0, result);
	}
	machine_reset(seed);
	log_boot();
	result = boot();
	log_after(0, result);
	if (result != BOOT_OK) {
		fprintf(stderr, "test/oracle: boot refuses a good manifest\n");
		exit(3);
	}
	for (uint32_t c = 0; c < CPUS; c++)
		off[c] = true;
	start(0);
	for (uint64_t i = 0; i < calls; i++)
		step(p);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	if (*text == 0 || *end != 0) {
		fprintf(stderr, "test/oracle: '%s' is not a number\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	uint64_t seed, calls, each;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: native SEED CALLS [CALLS-IN-AN-EPISODE]\n");
		return 2;
	}
	seed = number(argv[1]);
	calls = number(argv[2]);
	each = argc == 4 ? number(argv[3]) : 2000;
	for (uint64_t e = 0; calls > 0; e++) {
		uint64_t n = calls < each ? calls : each;
		struct profile p;

		rnd_seed(seed * 0x9e3779b97f4a7c15ULL + e);
		if (kept_count == 0 || below(4) == 0) {
			profile_random(&p);
		} else {
			p = kept[below(kept_count < KEPT ? kept_count : KEPT)];
			profile_mutate(&p);
		}
		memset(counters, 0, (size_t)(counters_end - counters));
		episode(rnd(), &p, n);
		if (news())
			kept[kept_count++ % KEPT] = p;
		calls -= n;
	}
	log_line('q', 2, (uint64_t[]){ edges, (uint64_t)(counters_end - counters) });
	log_flush();
	return 0;
}
