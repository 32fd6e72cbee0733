/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin of QEMU that writes what the engine did, in the order in which it did it. The engine is not changed: the
 * plugin stops where trap() begins (the frame is then as the vectors left it) and at the store that releases the lock.
 * Whoever is about to execute the latter holds the lock, in both modes, so the lines come in the lock's order.
 *
 *   -plugin order.so,out=FILE,trap=ADDRESS,end=ADDRESS,cpus=ADDRESS,vcpus=ADDRESS,config=ADDRESS
 *
 * The addresses are those of the engine's symbols in memory. Lines are those that test/oracle/README.md gives for calls and
 * results alone: b, c, v and o.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../engine/core/state.h"
#include "../bench/plugin.h"

__attribute__((visibility("default"))) int qemu_plugin_version = PLUGIN_VERSION;

static void *x1_handle, *esr_handle, *tpidr_handle;
static struct {
	const char *name;
	uint64_t value;
} addresses[] = {
	{ "trap=", 0 }, { "end=", 0 }, { "cpus=", 0 }, { "vcpus=", 0 }, { "config=", 0 }
};
enum { TRAP, END, CPUS_AT, VCPUS_AT, CONFIG_AT, ADDRESSES };
static FILE *out;

/* What was seen at the entry, of each CPU. */
static struct {
	struct cpu frame;
	uint64_t kind, esr;
	bool seen;
} entries[NIE_MAX_CPUS];

static void cpu_init(uint64_t id, unsigned int cpu)
{
	g_array *all = qemu_plugin_get_registers();

	(void)id;
	(void)cpu;
	for (unsigned int i = 0; i < all->len; i++) {
		plugin_register *r = (plugin_register *)(void *)all->data + i;

		if (strcmp(r->name, "x1") == 0)
			x1_handle = r->handle;
		if (strcmp(r->name, "ESR_EL2") == 0)
			esr_handle = r->handle;
		if (strcmp(r->name, "TPIDR_EL2") == 0)
			tpidr_handle = r->handle;
	}
}

static uint64_t reg_read(void *handle)
{
	static __thread g_array *buffer;
	uint64_t value = 0;
	int length;

	buffer = buffer != NULL ? buffer : g_byte_array_new();
	g_byte_array_set_size(buffer, 0);
	length = handle != NULL ? qemu_plugin_read_register(handle, buffer) : 0;
	memcpy(&value, buffer->data, length > 8 ? 8 : length > 0 ? (size_t)length : 0);
	return value;
}

static void read_memory(uint64_t address, void *to, size_t length)
{
	static __thread g_array *buffer;

	buffer = buffer != NULL ? buffer : g_byte_array_new();
	if (!qemu_plugin_read_memory_vaddr(address, buffer, length)) {
		fprintf(stderr, "order: cannot read %" PRIx64 "\n", address);
		exit(1);
	}
	memcpy(to, buffer->data, length);
}

/*
 * The CPU that executes. QEMU's own number is that of the CPU for which the code was translated, and code is shared in
 * mode icount. TPIDR_EL2 = &cpus[cpu].
 */
static unsigned int this_cpu(void)
{
	uint64_t cpu = (reg_read(tpidr_handle) - addresses[CPUS_AT].value) / sizeof(struct cpu);

	if (cpu >= NIE_MAX_CPUS) {
		fprintf(stderr, "order: CPU %" PRIx64 "\n", cpu);
		exit(1);
	}
	return (unsigned int)cpu;
}

static void at_entry(unsigned int translator, void *data)
{
	unsigned int cpu = this_cpu();

	(void)translator;
	(void)data;
	read_memory(addresses[CPUS_AT].value + cpu * sizeof(struct cpu), &entries[cpu].frame,
		    sizeof(struct cpu));
	entries[cpu].kind = reg_read(x1_handle);
	entries[cpu].esr = reg_read(esr_handle);
	entries[cpu].seen = true;
}

static void put_boot(void)
{
	static bool done;
	struct config config;

	if (done)
		return;
	done = true;
	read_memory(addresses[CONFIG_AT].value, &config, sizeof(config));
	fputs("b", out);
	for (int i = 0; i < MAN_END; i++)
		fprintf(out, " %" PRIx64, config.word[i]);
	fputs("\n", out);
}

/* A host's call; one that enters a vCPU has succeeded. */
static void put_call(unsigned int cpu, const struct cpu *before, const struct cpu *after)
{
	bool run = (uint32_t)before->x[0] == NIE_VCPU_RUN;

	fprintf(out, "c %x", cpu);
	for (int i = 0; i < 7; i++)
		fprintf(out, " %" PRIx64,
			run && i >= 3 ? after->in[RUN_IN_LR0 + i - 3] : before->x[i]);
	if (after->vm != CPU_HOST)
		fprintf(out, " %x 0 0\n", NIE_OK);
	else
		fprintf(out, " %" PRIx64 " %" PRIx64 " %" PRIx64 "\n", after->x[0], after->x[1],
			after->x[2]);
}

/* The vCPU has left: its record says why. */
static void put_exit(unsigned int cpu, const struct cpu *before)
{
	uint64_t record[RUN_OUT_END];
	struct vcpu v;

	read_memory(addresses[VCPUS_AT].value +
			    (before->vm * NIE_MAX_VCPUS + before->vcpu) * sizeof(struct vcpu),
		    &v, sizeof(v));
	read_memory(v.run << NIE_PAGE_SHIFT, record, sizeof(record));
	fprintf(out, "v %x %" PRIx64 " %" PRIx64 "\n", cpu, record[RUN_OUT_REASON],
		record[RUN_OUT_VALUE]);
}

static void at_end(unsigned int translator, void *data)
{
	enum { HVC = 0x16, SMC = 0x17 };
	unsigned int cpu = this_cpu();
	const struct cpu *before = &entries[cpu].frame;
	uint64_t class = entries[cpu].esr >> 26;
	struct cpu after;

	(void)translator;
	(void)data;
	if (!entries[cpu].seen)
		return;
	put_boot();
	read_memory(addresses[CPUS_AT].value + cpu * sizeof(struct cpu), &after, sizeof(after));
	if (before->vm == CPU_HOST) {
		if (entries[cpu].kind == 0 && class == HVC)
			put_call(cpu, before, &after);
	} else if (after.vm == CPU_HOST) {
		put_exit(cpu, before);
	} else if (entries[cpu].kind == 0 && (class == HVC || class == SMC) &&
		   (uint32_t)before->x[0] == NIE_VM_PAGE_REOPEN && after.x[0] == NIE_OK) {
		fprintf(out, "o %x %" PRIx64 "\n", before->vm, before->x[1]);
	}
}

/* STLR W: the release of the lock is the only one that trap() has. */
static bool is_release(const struct qemu_plugin_insn *insn)
{
	uint32_t word = 0;

	qemu_plugin_insn_data(insn, &word, sizeof(word));
	return (word & 0xfffffc00) == 0x889ffc00;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t at = qemu_plugin_insn_vaddr(insn);

		if (at == addresses[TRAP].value)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_entry, PLUGIN_READ_REGS,
							       NULL);
		else if (at > addresses[TRAP].value && at < addresses[END].value &&
			 is_release(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_end, PLUGIN_READ_REGS,
							       NULL);
	}
}

static void finish(uint64_t id, void *data)
{
	(void)id;
	(void)data;
	fclose(out);
}

__attribute__((visibility("default"))) int qemu_plugin_install(uint64_t id, const void *info,
							       int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (strncmp(argv[i], "out=", 4) == 0)
			out = fopen(argv[i] + 4, "w");
		for (int k = 0; k < ADDRESSES; k++) {
			size_t length = strlen(addresses[k].name);

			if (strncmp(argv[i], addresses[k].name, length) == 0)
				addresses[k].value = strtoull(argv[i] + length, NULL, 0);
		}
	}
	for (int k = 0; k < ADDRESSES; k++) {
		if (out == NULL || addresses[k].value == 0) {
			fprintf(stderr, "order: out= and %s are needed\n", addresses[k].name);
			return 1;
		}
	}
	qemu_plugin_register_vcpu_init_cb(id, cpu_init);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
