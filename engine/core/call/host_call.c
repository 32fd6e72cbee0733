/* SPDX-License-Identifier: Apache-2.0 */
#include "../call.h"

static uint64_t call_simple(uint32_t cpu, uint64_t function)
{
	struct cpu *c = &cpus[cpu];

	switch (function) {
	case NIE_VM_CREATE:
		return call_vm_create(c->x[1], c->x[2], c->x[3], c->x[4], c->x[5]);
	case NIE_VM_ACTIVATE:
		return call_vm_activate(c->x[1]);
	case NIE_VM_STOP:
		return call_vm_stop(c->x[1]);
	case NIE_VCPU_CREATE:
		return call_vcpu_create(c->x[1], c->x[2], c->x[3], c->x[4], c->x[5], c->x[6]);
	case NIE_TABLE_ADD:
		return call_table_add(c->x[1], c->x[2], c->x[3], c->x[4]);
	case NIE_PAGE_ADD:
		return call_page_add(c->x[1], c->x[2], c->x[3], c->x[4]);
	case NIE_PAGE_ADD_ZERO:
		return call_page_add_zero(c->x[1], c->x[2], c->x[3], c->x[4], c->x[5]);
	case NIE_PAGE_SHARED_ADD:
		return call_page_shared_add(c->x[1], c->x[2], c->x[3], c->x[4]);
	default:
		return NIE_E_CALL;
	}
}

/* Calls that give pages back. */
static struct answer call_returning(uint32_t cpu, uint64_t function)
{
	struct cpu *c = &cpus[cpu];

	switch (function) {
	case NIE_VM_DESTROY:
		return call_vm_destroy(c->x[1]);
	case NIE_VCPU_DESTROY:
		return call_vcpu_destroy(c->x[1], c->x[2]);
	case NIE_TABLE_REMOVE:
		return call_table_remove(c->x[1], c->x[2], c->x[3]);
	case NIE_PAGE_REMOVE:
		return call_page_remove(c->x[1], c->x[2], c->x[3]);
	default:
		return (struct answer){ NIE_E_CALL, 0, 0 };
	}
}

static void put_answer(uint32_t cpu, struct answer a)
{
	cpus[cpu].x[0] = a.status;
	cpus[cpu].x[1] = a.x1;
	cpus[cpu].x[2] = a.x2;
}

void call_version(uint32_t cpu)
{
	put_answer(cpu, (struct answer){ NIE_OK, NIE_ABI_VERSION, 0 });
}

static void host_vcpu_run(uint32_t cpu)
{
	uint64_t status = call_vcpu_run(cpu, cpus[cpu].x[1], cpus[cpu].x[2]);

	/* Once the vCPU runs, x0 is its own. */
	if (status != NIE_OK)
		cpus[cpu].x[0] = status;
}

void host_call(uint32_t cpu)
{
	uint64_t function = cpus[cpu].x[0] & 0xffffffff;

	switch (function) {
	case NIE_VERSION:
		call_version(cpu);
		return;
	case NIE_VM_INFO:
		call_vm_info(cpu);
		return;
	case NIE_VCPU_RUN:
		host_vcpu_run(cpu);
		return;
	case NIE_VM_DESTROY:
	case NIE_VCPU_DESTROY:
	case NIE_TABLE_REMOVE:
	case NIE_PAGE_REMOVE: {
		struct answer a = call_returning(cpu, function);

		put_answer(cpu, a);
		return;
	}
	default: {
		uint64_t status = call_simple(cpu, function);

		cpus[cpu].x[0] = status;
		return;
	}
	}
}
