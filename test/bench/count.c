/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A QEMU plugin that counts instructions by exception level between markers.
 * -plugin count.so,out=FILE [,profile=ROW] [,life=START:END]
 *
 * A marker is a hint that the architecture leaves unallocated, so a CPU takes it for a NOP [ArmARM, C6.2.139]: HINT #(64 + 2 *
 * row) begins a sample of a row, HINT #(65 + 2 * row) ends it; markers are not counted. FILE gets a line a sample:
 * row, instructions at EL0, EL1, EL2, EL1 at low addresses (those of all CPUs), then those of each stay at EL2 that an ERET ended.
 * With life= it gets in their place what life.h says.
 * With profile=ROW it also gets `pc EL ADDRESS COUNT`: how often each address ran inside that row's samples.
 *
 * The exception level is a property of a translated block: QEMU never shares a block between two, so it is
 * read when the block is translated. Counts are summed over CPUs.
 */
#include "life.h"
#include "plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* EL1 at low addresses has a column of its own, in the place of EL3, which the machine lacks. */
enum {
	LEVELS = 4,
	EL1_LOW = 3,
	ROWS = 32,
	STAYS = 24,
	ERET = 0xd69f03e0,
	HINT = 0xd503201f,
	HINT_MASK = 0xfffff01f
};

struct counts {
	uint64_t at[LEVELS];
};

struct place {
	uint64_t address, count;
	unsigned int level;
	struct place *next;
};

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;

static plugin_u64 counter[LEVELS];
static uint64_t counted[LEVELS];
static void *pstate;
static g_array *buffer;
static FILE *out;
static int open_row = -1, profile_row = -1;
static struct counts begin;
static uint64_t stay_begin, stay[STAYS];
static unsigned int stays;
static struct place *places[1 << 16];

uint64_t count_now(unsigned int level)
{
	return counted[level] + qemu_plugin_u64_sum(counter[level]);
}

static void count_one(unsigned int cpu, void *data)
{
	(void)cpu;
	counted[(intptr_t)data]++;
}

/*
 * Inline code is ten times as fast, but wrong for more than one CPU: QEMU 10.0 multiplies the index of a CPU other than
 * 0 in place, again for each instruction of a block, when its threads are one.
 */
static void count(struct qemu_plugin_insn *insn, unsigned int level)
{
	if (qemu_plugin_num_vcpus() > 1)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, count_one, PLUGIN_NO_REGS,
						       (void *)(intptr_t)level);
	else
		qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, PLUGIN_ADD_U64,
								    counter[level], 1);
}

/* Executed at EL2: what follows is below. */
static void left_el2(unsigned int cpu, void *data)
{
	uint64_t at = count_now(2);

	(void)cpu, (void)data;
	if (open_row < 0 || life_on())
		return;
	if (stays < STAYS)
		stay[stays++] = at - stay_begin;
	stay_begin = at;
}

static void sample_begin(unsigned int cpu, void *data)
{
	(void)cpu;
	for (unsigned int l = 0; l < LEVELS; l++)
		begin.at[l] = count_now(l);
	open_row = (int)(intptr_t)data;
	stay_begin = begin.at[2];
	stays = 0;
	life_begin();
}

/* `data`: row * LEVELS + the level of the marker, which is counted and must not be. */
static void sample_end(unsigned int cpu, void *data)
{
	int row = (int)(intptr_t)data / LEVELS;
	unsigned int level = (unsigned int)(intptr_t)data % LEVELS;

	(void)cpu;
	if (row != open_row)
		return;
	fprintf(out, "%d", row);
	for (unsigned int l = 0; l < LEVELS; l++)
		fprintf(out, "\t%llu",
			(unsigned long long)(count_now(l) - begin.at[l] - (l == level)));
	life_print(out);
	for (unsigned int s = 0; s < stays; s++)
		fprintf(out, "\t%llu", (unsigned long long)stay[s]);
	fprintf(out, "\n");
	open_row = -1;
}

static void passed(unsigned int cpu, void *data)
{
	(void)cpu;
	if (open_row == profile_row)
		((struct place *)data)->count++;
}

/* One for an address and level: a block may be translated many times. */
static struct place *place_of(uint64_t address, unsigned int level)
{
	struct place **head = &places[(address >> 2 ^ level) & 0xffff], *p = *head;

	while (p != NULL && (p->address != address || p->level != level))
		p = p->next;
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		if (p == NULL)
			abort();
		*p = (struct place){ address, 0, level, *head };
		*head = p;
	}
	return p;
}

/* PSTATE.EL of the CPU that translates, which is about to run what it translates. */
static unsigned int level_now(void)
{
	uint32_t value = 0;

	g_byte_array_set_size(buffer, 0);
	if (pstate == NULL || qemu_plugin_read_register(pstate, buffer) < 4)
		return 0;
	memcpy(&value, buffer->data, 4);
	return value >> 2 & 3;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	unsigned int level = level_now();

	(void)id;
	/* A guest or host without a kernel: its own instructions, apart from those of a kernel that serves it. */
	if (level == 1 && qemu_plugin_tb_vaddr(tb) >> 63 == 0)
		level = EL1_LOW;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t code = 0;

		qemu_plugin_insn_data(insn, &code, 4);
		count(insn, level);
		if (profile_row >= 0)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, passed, PLUGIN_NO_REGS,
				place_of(qemu_plugin_insn_vaddr(insn), level));
		life_translated(insn, level, code == ERET);
		if (code == ERET && level == 2)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, left_el2, PLUGIN_NO_REGS,
							       NULL);
		if ((code & HINT_MASK) != HINT || (code >> 5 & 127) < 64)
			continue;
		intptr_t row = (code >> 6 & 31);

		if ((code >> 5 & 1) == 0)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, sample_begin, PLUGIN_NO_REGS,
							       (void *)row);
		else
			qemu_plugin_register_vcpu_insn_exec_cb(insn, sample_end, PLUGIN_NO_REGS,
							       (void *)(row * LEVELS + level));
	}
}

static void cpu_made(plugin_id id, unsigned int cpu)
{
	g_array *all = qemu_plugin_get_registers();
	plugin_register *r = (plugin_register *)all->data;

	(void)id, (void)cpu;
	for (unsigned int i = 0; i < all->len; i++) {
		if (strcmp(r[i].name, "cpsr") == 0)
			pstate = r[i].handle;
		life_register(r[i].name, r[i].handle);
	}
	if (pstate == NULL || !life_ready()) {
		fprintf(stderr, "count.so: QEMU does not show cpsr, HCR_EL2 or VTTBR_EL2\n");
		exit(2);
	}
}

static void ended(plugin_id id, void *data)
{
	(void)id, (void)data;
	fprintf(out, "all\t%llu\t%llu\t%llu\t%llu\n", (unsigned long long)count_now(0),
		(unsigned long long)count_now(1), (unsigned long long)count_now(2),
		(unsigned long long)count_now(EL1_LOW));
	for (unsigned int i = 0; i < 1 << 16; i++) {
		for (struct place *p = places[i]; p != NULL; p = p->next) {
			if (p->count != 0)
				fprintf(out, "pc\t%u\t%llx\t%llu\n", p->level,
					(unsigned long long)p->address,
					(unsigned long long)p->count);
		}
	}
	fclose(out);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info,
							       int argc, char **argv)
{
	struct qemu_plugin_scoreboard *board;

	(void)info;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4) == 0)
			out = fopen(argv[i] + 4, "w");
		if (strncmp(argv[i], "profile=", 8) == 0)
			profile_row = atoi(argv[i] + 8);
		life_option(argv[i]);
	}
	if (out == NULL) {
		fprintf(stderr, "count.so: out=FILE is missing, or FILE cannot be written\n");
		return 1;
	}
	board = qemu_plugin_scoreboard_new(sizeof(struct counts));
	for (unsigned int l = 0; l < LEVELS; l++)
		counter[l] = (plugin_u64){ board, offsetof(struct counts, at) + 8 * l };
	buffer = g_byte_array_new();
	qemu_plugin_register_vcpu_init_cb(id, cpu_made);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, ended, NULL);
	return 0;
}
