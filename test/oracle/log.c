/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, as text: before an exception what software set, then what the core was given, did and changed. */
#include "oracle.h"
#include <string.h>

static char buffer[1 << 16];
static size_t used;

void log_flush(void)
{
	fwrite(buffer, 1, used, stdout);
	fflush(stdout);
	used = 0;
}

static void put_hex(uint64_t v)
{
	uint32_t digits = 1;

	while (digits < 16 && v >> 4 * digits != 0)
		digits++;
	for (uint32_t i = digits; i-- > 0;)
		buffer[used++] = "0123456789abcdef"[v >> 4 * i & 15];
}

void log_line(char kind, uint32_t count, const uint64_t *words)
{
	if (used > sizeof(buffer) - 1024) {
		fwrite(buffer, 1, used, stdout);
		used = 0;
	}
	buffer[used++] = kind;
	for (uint32_t i = 0; i < count; i++) {
		buffer[used++] = ' ';
		put_hex(words[i]);
	}
	buffer[used++] = '\n';
}

static void line2(char kind, uint64_t a, uint64_t b)
{
	log_line(kind, 2, (uint64_t[]){ a, b });
}

static void line3(char kind, uint64_t a, uint64_t b, uint64_t c)
{
	log_line(kind, 3, (uint64_t[]){ a, b, c });
}

void log_primitive(char kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	static const char *kinds = "ziwe";
	static const uint32_t counts[] = { 1, 1, 3, 4 };

	log_line(kind, counts[strchr(kinds, kind) - kinds], (uint64_t[]){ a, b, c, d });
}

/*
 * The core's objects, as 64-bit words by number: an array of structs of fields. Numbers are the order of this
 * table; check.ml has the same.
 */
struct field {
	char *base;
	char *shadow;
	uint32_t stride, size, count,
		inner; /* `inner` elements of `size` bytes in each of `count` */
};

static struct {
	struct granule granules[RAM_PAGES];
	struct vm vms[NIE_MAX_VMS];
	struct vcpu vcpus[NIE_MAX_VMS * NIE_MAX_VCPUS];
	struct last lasts[NIE_MAX_VMS];
	struct cpu cpus[NIE_MAX_CPUS];
} shadow;

#define FIELD(array, n, member, each)      \
	{ (char *)&array[0].member,        \
	  (char *)&shadow.array[0].member, \
	  sizeof(array[0]),                \
	  each,                            \
	  n,                               \
	  sizeof(array[0].member) / (each) }
#define VMS   NIE_MAX_VMS
#define VCPUS (NIE_MAX_VMS * NIE_MAX_VCPUS)
static const struct field fields[] = {
	FIELD(granules, RAM_PAGES, state, 1),
	FIELD(granules, RAM_PAGES, vm, 1),
	FIELD(granules, RAM_PAGES, level, 1),
	FIELD(granules, RAM_PAGES, zero, 1),
	FIELD(granules, RAM_PAGES, key, 4),
	FIELD(vms, VMS, root, 8),
	FIELD(vms, VMS, ram_base, 8),
	FIELD(vms, VMS, ram_pages, 8),
	FIELD(vms, VMS, cntvoff, 8),
	FIELD(vms, VMS, granules, 8),
	FIELD(vms, VMS, hashed, 8),
	FIELD(vms, VMS, hash, 4),
	FIELD(vms, VMS, state, 4),
	FIELD(vms, VMS, vcpus, 4),
	FIELD(vms, VMS, running, 4),
	FIELD(vms, VMS, created, 4),
	FIELD(vcpus, VCPUS, context, 8),
	FIELD(vcpus, VCPUS, run, 8),
	FIELD(vcpus, VCPUS, state, 4),
	FIELD(vcpus, VCPUS, cpu, 4),
	FIELD(vcpus, VCPUS, pending, 4),
	FIELD(vcpus, VCPUS, syndrome, 4),
	FIELD(lasts, VMS, vcpu, 1),
	FIELD(cpus, NIE_MAX_CPUS, x, 8),
	FIELD(cpus, NIE_MAX_CPUS, host_x, 8),
	FIELD(cpus, NIE_MAX_CPUS, host_sysreg, 8),
	FIELD(cpus, NIE_MAX_CPUS, in, 8),
	FIELD(cpus, NIE_MAX_CPUS, entry, 8),
	FIELD(cpus, NIE_MAX_CPUS, argument, 8),
	FIELD(cpus, NIE_MAX_CPUS, vm, 4),
	FIELD(cpus, NIE_MAX_CPUS, vcpu, 4),
	FIELD(cpus, NIE_MAX_CPUS, started, 4),
	FIELD(cpus, NIE_MAX_CPUS, zero, 4),
};
static uint64_t seen_registers[NIE_MAX_CPUS][REG_COUNT];
static uint64_t seen_vectors[NIE_MAX_CPUS][66];

static uint64_t load(const char *at, uint32_t size)
{
	uint64_t v = 0;

	memcpy(&v, at, size);
	return v;
}

/* Fields first..last whose element `from`.. changed. */
static void changed(uint32_t first, uint32_t last, uint32_t from, uint32_t to)
{
	for (uint32_t f = first; f <= last; f++) {
		const struct field *d = &fields[f];

		for (uint32_t i = from * d->inner; i < to * d->inner; i++) {
			size_t at = (size_t)(i / d->inner) * d->stride + i % d->inner * d->size;

			if (memcmp(d->base + at, d->shadow + at, d->size) != 0)
				line3('g', f, i, load(d->base + at, d->size));
		}
	}
}

enum { F_GRANULES = 0, F_VMS = 5, F_VCPUS = 16, F_LASTS = 22, F_CPUS = 23, F_END = 33 };
_Static_assert(sizeof(fields) / sizeof(fields[0]) == F_END, "a field is missing");

/* Structs that did not change as a whole are passed over. */
#define CHANGED(array, n, first, last)                                                       \
	for (uint32_t i = 0, any = memcmp(array, shadow.array, (n) * sizeof(array[0])) != 0; \
	     any && i < (n); i++) {                                                          \
		if (memcmp(&array[i], &shadow.array[i], sizeof(array[0])) != 0) {            \
			changed(first, (last) - 1, i, i + 1);                                \
			shadow.array[i] = array[i];                                          \
		}                                                                            \
	}

/* Software changes general registers only; what else changed between two exceptions is told after the second. */
static void log_cpus(void)
{
	CHANGED(cpus, NIE_MAX_CPUS, F_CPUS, F_END)
}

static void log_globals(void)
{
	CHANGED(granules, RAM_PAGES, F_GRANULES, F_VMS)
	CHANGED(vms, VMS, F_VMS, F_VCPUS)
	CHANGED(vcpus, VCPUS, F_VCPUS, F_LASTS)
	CHANGED(lasts, VMS, F_LASTS, F_CPUS)
	log_cpus();
}

static void log_registers(void)
{
	for (uint32_t c = 0; c < NIE_MAX_CPUS; c++) {
		bool any = memcmp(registers[c], seen_registers[c], sizeof(registers[c])) != 0;

		for (uint32_t r = 0; any && r < REG_COUNT; r++) {
			if (registers[c][r] != seen_registers[c][r])
				line3('r', c, r, registers[c][r]);
		}
		memcpy(seen_registers[c], registers[c], sizeof(registers[c]));
		any = memcmp(vectors[c], seen_vectors[c], sizeof(vectors[c])) != 0;
		for (uint32_t i = 0; any && i < 66; i++) {
			if (vectors[c][i] != seen_vectors[c][i])
				line3('f', c, i, vectors[c][i]);
		}
		memcpy(seen_vectors[c], vectors[c], sizeof(vectors[c]));
	}
}

void log_boot(void)
{
	memset(&shadow, 0, sizeof(shadow));
	memset(seen_registers, 0, sizeof(seen_registers));
	memset(seen_vectors, 0, sizeof(seen_vectors));
	log_line('b', MAN_END, manifest);
	log_registers();
}

/* What PAGE_ADD will hash. */
static void log_content(uint32_t cpu)
{
	const uint64_t *x = cpus[cpu].x;

	if (cpus[cpu].vm != CPU_HOST || (uint32_t)x[0] != NIE_PAGE_ADD || x[4] > NIE_PAGE_ADD_MAX)
		return;
	for (uint64_t p = x[3] / 4096; p < x[3] / 4096 + x[4] && is_ram(p); p++) {
		for (uint32_t i = 0; i < 512; i++) {
			if (memory[p - RAM_BASE][i] != 0)
				line3('m', p, i, memory[p - RAM_BASE][i]);
		}
	}
}

void log_before(uint32_t cpu, uint32_t kind)
{
	log_cpus();
	log_registers();
	log_content(cpu);
	line2('t', cpu, kind);
}

void log_start(uint32_t cpu)
{
	log_cpus();
	log_registers();
	log_line('s', 1, (uint64_t[]){ cpu });
}

void log_after(uint32_t cpu, uint32_t result)
{
	line2('=', cpu, result);
	log_globals();
	log_registers();
	log_line('.', 0, NULL);
}
