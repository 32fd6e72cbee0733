/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin of QEMU that writes what the engine did, in the order in which it did it. The engine is not changed: the
 * plugin stops where trap() begins (the frame is then as the vectors left it) and at the store that releases the lock.
 * Whoever is about to execute the latter holds the lock, in both modes, so the lines come in the lock's order.
 *
 *   -plugin order.so,out=FILE,trap=ADDRESS,end=ADDRESS,cpus=ADDRESS,vms=ADDRESS
 *
 * The addresses are those of the engine's symbols in memory. The format of a line is in README.md.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../engine/core/state.h"

/* QEMU's plugin interface, version 4; Debian has no header for it. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct {
	uint8_t *data;
	unsigned int len;
} GByteArray;
typedef struct {
	char *data;
	unsigned int len;
} GArray;
struct reg_descriptor {
	void *handle;
	const char *name, *feature;
};
GByteArray *g_byte_array_new(void);
GByteArray *g_byte_array_set_size(GByteArray *array, unsigned int length);
void qemu_plugin_register_vcpu_init_cb(uint64_t id, void (*cb)(uint64_t id, unsigned int cpu));
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*cb)(uint64_t id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t length);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*cb)(unsigned int cpu, void *data), int flags,
					    void *data);
void qemu_plugin_register_atexit_cb(uint64_t id, void (*cb)(uint64_t id, void *data), void *data);
GArray *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(void *handle, GByteArray *buffer);
bool qemu_plugin_read_memory_vaddr(uint64_t address, GByteArray *data, size_t length);
__attribute__((visibility("default"))) int qemu_plugin_version = 4;
enum { READS_REGISTERS = 1 };

enum { SYSREGS = 3 };
static const char *const names[SYSREGS] = { "ESR_EL2", "FAR_EL2", "HPFAR_EL2" };
static void *handles[NIE_MAX_CPUS][SYSREGS];
static void *x1_handle[NIE_MAX_CPUS];
static uint64_t trap_address, end_address, cpus_address, vms_address;
static FILE *out;

/* What was seen at the entry, of each CPU. */
static struct {
	struct cpu frame;
	uint64_t kind, sysreg[SYSREGS];
	bool seen;
} entries[NIE_MAX_CPUS];

static void cpu_init(uint64_t id, unsigned int cpu)
{
	GArray *all = qemu_plugin_get_registers();

	(void)id;
	for (unsigned int i = 0; i < all->len; i++) {
		struct reg_descriptor *r = (struct reg_descriptor *)(void *)all->data + i;

		if (strcmp(r->name, "x1") == 0)
			x1_handle[cpu] = r->handle;
		for (int k = 0; k < SYSREGS; k++) {
			if (strcmp(r->name, names[k]) == 0)
				handles[cpu][k] = r->handle;
		}
	}
}

static uint64_t reg_read(void *handle)
{
	static __thread GByteArray *buffer;
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
	static __thread GByteArray *buffer;

	buffer = buffer != NULL ? buffer : g_byte_array_new();
	if (!qemu_plugin_read_memory_vaddr(address, buffer, length)) {
		fprintf(stderr, "order: cannot read %" PRIx64 "\n", address);
		exit(1);
	}
	memcpy(to, buffer->data, length);
}

static void at_entry(unsigned int cpu, void *data)
{
	(void)data;
	read_memory(cpus_address + cpu * sizeof(struct cpu), &entries[cpu].frame,
		    sizeof(struct cpu));
	entries[cpu].kind = reg_read(x1_handle[cpu]);
	for (int k = 0; k < SYSREGS; k++)
		entries[cpu].sysreg[k] = reg_read(handles[cpu][k]);
	entries[cpu].seen = true;
}

static void put_context(const struct cpu *c)
{
	if (c->vm == CPU_HOST)
		fputs(" host", out);
	else
		fprintf(out, " %u.%u", c->vm, c->vcpu);
	for (int i = 0; i < 7; i++)
		fprintf(out, " %" PRIx64, c->x[i]);
}

/* The host's faults and its registers change nothing that the engine knows. */
static bool of_interest(const struct cpu *before, uint64_t kind, uint64_t esr)
{
	uint64_t class = esr >> 26;

	return before->vm != CPU_HOST || (kind == 0 && (class == 0x16 || class == 0x17));
}

static void at_end(unsigned int cpu, void *data)
{
	struct cpu after;
	struct vm vm;

	(void)data;
	if (!entries[cpu].seen ||
	    !of_interest(&entries[cpu].frame, entries[cpu].kind, entries[cpu].sysreg[0]))
		return;
	read_memory(cpus_address + cpu * sizeof(struct cpu), &after, sizeof(after));
	fprintf(out, "%u %" PRIu64 " %" PRIx64 " %" PRIx64 " %" PRIx64, cpu, entries[cpu].kind,
		entries[cpu].sysreg[0], entries[cpu].sysreg[1], entries[cpu].sysreg[2]);
	put_context(&entries[cpu].frame);
	fputs(" =", out);
	put_context(&after);
	if (entries[cpu].frame.vm == CPU_HOST &&
	    (uint32_t)entries[cpu].frame.x[0] == NIE_VCPU_RUN) {
		fputs(" in", out);
		for (int i = 0; i < RUN_IN_END; i++)
			fprintf(out, " %" PRIx64, after.in[i]);
	}
	if (entries[cpu].frame.vm == CPU_HOST &&
	    (uint32_t)entries[cpu].frame.x[0] == NIE_VM_CREATE && after.x[0] == NIE_OK) {
		read_memory(vms_address + entries[cpu].frame.x[1] * sizeof(struct vm), &vm,
			    sizeof(vm));
		fprintf(out, " counter %" PRIx64, vm.cntvoff);
	}
	fputs("\n", out);
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

		if (at == trap_address)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_entry, READS_REGISTERS,
							       NULL);
		else if (at > trap_address && at < end_address && is_release(insn))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_end, READS_REGISTERS, NULL);
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
		else if (strncmp(argv[i], "trap=", 5) == 0)
			trap_address = strtoull(argv[i] + 5, NULL, 0);
		else if (strncmp(argv[i], "end=", 4) == 0)
			end_address = strtoull(argv[i] + 4, NULL, 0);
		else if (strncmp(argv[i], "cpus=", 5) == 0)
			cpus_address = strtoull(argv[i] + 5, NULL, 0);
		else if (strncmp(argv[i], "vms=", 4) == 0)
			vms_address = strtoull(argv[i] + 4, NULL, 0);
	}
	if (out == NULL || trap_address == 0 || end_address == 0 || cpus_address == 0) {
		fprintf(stderr, "order: out=, trap=, end=, cpus= and vms= are needed\n");
		return 1;
	}
	qemu_plugin_register_vcpu_init_cb(id, cpu_init);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
	return 0;
}
