/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What count.c, life.c and ../fuzz/order.c use of QEMU's plugin interface, version 4 (QEMU 9.2 and 10.0), and of
 * GLib. Debian packages no header for the first; of the second only two structures are needed. [QEMU, docs/devel/tcg-plugins.rst]
 */
#ifndef NIE_BENCH_PLUGIN_H
#define NIE_BENCH_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLUGIN_VERSION = 4 };

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_scoreboard;

/* One 64-bit number for each vCPU. */
typedef struct {
	struct qemu_plugin_scoreboard *score;
	size_t offset;
} plugin_u64;

typedef struct {
	void *handle;
	const char *name;
	const char *feature;
} plugin_register;

typedef struct {
	char *data;
	unsigned int len;
} g_array;

enum plugin_flags { PLUGIN_NO_REGS = 0, PLUGIN_READ_REGS = 1 };
enum plugin_op { PLUGIN_ADD_U64 = 0 };

typedef void plugin_tb_cb(plugin_id id, struct qemu_plugin_tb *tb);
typedef void plugin_exec_cb(unsigned int cpu, void *data);
typedef void plugin_cpu_cb(plugin_id id, unsigned int cpu);
typedef void plugin_exit_cb(plugin_id id, void *data);

void qemu_plugin_register_vcpu_init_cb(plugin_id id, plugin_cpu_cb *cb);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, plugin_tb_cb *cb);
void qemu_plugin_register_atexit_cb(plugin_id id, plugin_exit_cb *cb, void *data);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *to, size_t bytes);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, plugin_exec_cb *cb,
					    enum plugin_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(struct qemu_plugin_insn *insn,
							 enum plugin_op op, plugin_u64 entry,
							 uint64_t add);
struct qemu_plugin_scoreboard *qemu_plugin_scoreboard_new(size_t bytes);
int qemu_plugin_num_vcpus(void);
uint64_t qemu_plugin_u64_sum(plugin_u64 entry);
g_array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(void *handle, g_array *to);
bool qemu_plugin_read_memory_vaddr(uint64_t address, g_array *to, size_t bytes);

g_array *g_byte_array_new(void);
g_array *g_byte_array_set_size(g_array *array, unsigned int bytes);

#endif
