/* SPDX-License-Identifier: Apache-2.0 */
#include "observe.h"

enum { SEEN_FIXED = 32 + 64 + 2 };

/* calls.S */
void observed_hvc(const uint64_t in[31], struct seen *out);
void observed_smc(const uint64_t in[31], struct seen *out);

/* Code that stores each register of host_list. */
uint64_t host_look;
static struct seen seen[CPUS];
static uint64_t in[CPUS][32], cursor[CPUS];

static uint32_t listed(void)
{
	return *(volatile uint32_t *)&host_list.count;
}

void observe_start(void)
{
	host_look = pages(1, PAGE);
	host_vectors(0); /* and turn them on */

	volatile uint32_t *code = (volatile uint32_t *)host_look;
	uint64_t at = 0;

	CHECK(listed() > 0 && listed() <= LIST_MAX);
	for (uint32_t i = 0; i < listed(); i++) {
		code[at++] = MRS_X9 | ((volatile uint32_t *)host_list.number)[i] << 5;
		code[at++] = (uint32_t)STR_X9_X10;
	}
	code[at] = (uint32_t)RET;
	__asm__ volatile("dsb ish\n\tic ialluis\n\tdsb ish\n\tisb" : : : "memory");
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		cursor[cpu] = RECORD + (uint64_t)cpu * RECORD_BYTES;
}

void note(uint32_t cpu, uint32_t kind, const void *words, uint64_t count)
{
	const uint64_t *from = words;

	CHECK(cursor[cpu] + 8 * count + 16 < RECORD + (uint64_t)(cpu + 1) * RECORD_BYTES);
	store(cursor[cpu], (uint64_t)kind << 32 | count);
	for (uint64_t i = 0; i < count; i++)
		store(cursor[cpu] + 8 + 8 * i, from[i]);
	cursor[cpu] += 8 + 8 * count;
	store(cursor[cpu], 0);
}

const struct seen *observed(uint32_t cpu, bool by_smc, const uint64_t x[7], uint64_t noise)
{
	for (uint32_t i = 0; i < 31; i++)
		in[cpu][i] = i < 7 ? x[i] : noise + i;
	note(cpu, NOTE_CALL, in[cpu], 31);
	if (by_smc)
		observed_smc(in[cpu], &seen[cpu]);
	else
		observed_hvc(in[cpu], &seen[cpu]);
	note(cpu, NOTE_SEEN, &seen[cpu], SEEN_FIXED + listed());
	return &seen[cpu];
}

void note_run(uint32_t cpu, uint64_t vm, uint64_t run)
{
	uint64_t words[RUN_OUT_END + 1];

	words[0] = vm;
	for (uint32_t i = 0; i < RUN_OUT_END; i++)
		words[i + 1] = load(run + 8 * i);
	note(cpu, NOTE_RUN, words, RUN_OUT_END + 1);
}

void note_page(uint32_t cpu, uint64_t address)
{
	uint64_t digest = 0, word = 0;
	uint64_t esr = try_load(address, &word);

	for (uint64_t i = 0; esr == 0 && i < PAGE; i += 8)
		digest = (digest << 7 | digest >> 57) * 0x9e3779b97f4a7c15 + load(address + i) + 1;
	note(cpu, NOTE_PAGE, (uint64_t[]){ address, esr, digest }, 3);
}

void note_map(void)
{
	static uint64_t map[RAM_BYTES / PAGE / 64];
	uint64_t word;

	for (uint64_t p = 0; p < RAM_BYTES / PAGE; p++) {
		if (try_load(RAM + p * PAGE, &word) == 0)
			map[p / 64] |= 1ULL << p % 64;
	}
	note(0, NOTE_MAP, map, RAM_BYTES / PAGE / 64);
}
