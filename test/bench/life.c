// SPDX-License-Identifier: Apache-2.0
/* Whose are the instructions below EL2? See life.h. */
#include "life.h"

#include <inttypes.h>
#include <string.h>

static struct {
	bool on, vm; /* vm: the last ERET from EL2 led to a VM */
	uint64_t start, end; /* addresses of the hashing */
	uint64_t hashed, last[2], own[2];
	void *hcr, *vttbr;
	g_array *buffer;
} life;

void life_option(const char *argument)
{
	if (sscanf(argument, "life=%" SCNx64 ":%" SCNx64, &life.start, &life.end) == 2)
		life.on = true;
}

bool life_on(void)
{
	return life.on;
}

void life_register(const char *name, void *handle)
{
	if (strcmp(name, "HCR_EL2") == 0)
		life.hcr = handle;
	if (strcmp(name, "VTTBR_EL2") == 0)
		life.vttbr = handle;
}

bool life_ready(void)
{
	if (life.on && life.buffer == NULL)
		life.buffer = g_byte_array_new();
	return !life.on || (life.hcr != NULL && life.vttbr != NULL);
}

static uint64_t value_of(void *handle)
{
	uint64_t value = 0;

	g_byte_array_set_size(life.buffer, 0);
	if (qemu_plugin_read_register(handle, life.buffer) == sizeof(value))
		memcpy(&value, life.buffer->data, sizeof(value));
	return value;
}

/* What ran below EL2 until now was the owner's. */
static void settle(void)
{
	for (unsigned int l = 0; l < 2; l++) {
		if (life.vm)
			life.own[l] += count_now(l) - life.last[l];
		life.last[l] = count_now(l);
	}
}

/* A VM has stage 2 (HCR_EL2.VM), a VMID that is not 0, and not TGE, with which EL0 is the host's. */
static void owner_changes(unsigned int cpu, void *data)
{
	uint64_t control = value_of(life.hcr);

	(void)cpu, (void)data;
	settle();
	life.vm = (control & 1) != 0 && (control >> 27 & 1) == 0 && value_of(life.vttbr) >> 48 != 0;
}

static void count_hashing(unsigned int cpu, void *data)
{
	(void)cpu, (void)data;
	life.hashed++;
}

void life_translated(struct qemu_plugin_insn *insn, unsigned int level, bool is_eret)
{
	uint64_t at = qemu_plugin_insn_vaddr(insn);

	if (!life.on || level != 2)
		return;
	if (at >= life.start && at < life.end)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, count_hashing, PLUGIN_NO_REGS, NULL);
	if (is_eret)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, owner_changes, PLUGIN_READ_REGS, NULL);
}

void life_begin(void)
{
	if (!life.on)
		return;
	settle();
	life.own[0] = life.own[1] = life.hashed = 0;
}

void life_print(FILE *out)
{
	if (!life.on)
		return;
	settle();
	fprintf(out, "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64, life.hashed, life.own[0], life.own[1]);
}
