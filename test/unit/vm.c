/* SPDX-License-Identifier: Apache-2.0 */
#include "vm.h"

#include <string.h>

#include "../../engine/core/trap.h"

uint32_t quick_served;

/* Walks of each VM start at its root while it can run; those of a stopped one only while it does. */
static void settle(void)
{
	for (uint32_t vm = 0; vm < NIE_MAX_VMS; vm++) {
		bool walks = vms[vm].state == NIE_VM_BUILDING || vms[vm].state == NIE_VM_ACTIVE ||
			     vms[vm].running != 0;

		tlb_root(vm + 1, walks ? vms[vm].root : 0);
	}
	if (fake_locked)
		violation("the lock is still held");
	invariants();
}

/* A vCPU resumes on the CPU with the controls of its own world, or the host with its own. */
static void check_world(uint32_t cpu)
{
	uint32_t vm = cpus[cpu].vm;
	uint64_t vttbr = *reg(cpu, REG_VTTBR_EL2);

	if (vm == CPU_HOST) {
		if (vttbr != (uint64_t)TABLES << 12)
			violation("the host resumes with VTTBR_EL2 %#lx", vttbr);
		return;
	}
	if (vttbr != ((uint64_t)(vm + 1) << 48 | vms[vm].root << 12))
		violation("VM %u resumes with VTTBR_EL2 %#lx", vm, vttbr);
	tlb_resume(cpu, vm, cpus[cpu].vcpu);
}

/* What quick() may change: x0-x19, and the registers that skip_instruction() writes. */
struct quick_state {
	struct cpu cpu;
	uint64_t pc, pstate, changes;
};

static struct quick_state quick_state(uint32_t cpu)
{
	return (struct quick_state){ cpus[cpu], *reg(cpu, REG_ELR_EL2), *reg(cpu, REG_SPSR_EL2),
				     fake_counts.changes };
}

static bool same_frame(struct quick_state a, struct quick_state b)
{
	return memcmp(&a.cpu, &b.cpu, sizeof(a.cpu)) == 0 && a.pc == b.pc && a.pstate == b.pstate;
}

static void restore(uint32_t cpu, struct quick_state s)
{
	cpus[cpu] = s.cpu;
	*reg(cpu, REG_ELR_EL2) = s.pc;
	*reg(cpu, REG_SPSR_EL2) = s.pstate;
}

/* quick() answers as trap() would, or it leaves all as it is. Every exception of every test is seen here. */
static void check_quick(uint32_t cpu, uint32_t kind)
{
	struct quick_state before = quick_state(cpu);
	struct fake_counts counts = fake_counts;
	uint64_t saved[9];

	/* trap() has not stored them yet: who reads them gets what another context left. */
	memcpy(saved, &cpus[cpu].x[20], sizeof(saved));
	memset(&cpus[cpu].x[20], 0x5a, sizeof(saved));
	bool served = quick(cpu, kind);

	memcpy(&cpus[cpu].x[20], saved, sizeof(saved));
	struct quick_state after = quick_state(cpu);

	if (!served) {
		if (!same_frame(before, after) || before.changes != after.changes)
			violation("quick(%u, %u) says no and changes something", cpu, kind);
		return;
	}
	quick_served++;
	restore(cpu, before);
	if (trap(cpu, kind) != TRAP_RESUME || !same_frame(after, quick_state(cpu)))
		violation("quick(%u, %u) answers otherwise than trap()", cpu, kind);
	restore(cpu, before);
	fake_counts = counts;
}

uint32_t take(uint32_t cpu, uint32_t kind, uint64_t esr)
{
	uint32_t result;

	fake_cpu = cpu;
	*reg(cpu, REG_ESR_EL2) = esr;
	check_quick(cpu, kind);
	result = trap(cpu, kind);
	check_world(cpu);
	settle();
	return result;
}

uint64_t hvc(uint32_t cpu, uint64_t x0, const uint64_t args[6])
{
	cpus[cpu].x[0] = x0;
	for (uint32_t i = 0; i < 6; i++)
		cpus[cpu].x[1 + i] = args[i];
	take(cpu, TRAP_SYNC, (uint64_t)EC_HVC64 << 26 | ESR_IL);
	return cpus[cpu].x[0];
}

uint64_t smc(uint32_t cpu, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
	cpus[cpu].x[0] = x0;
	cpus[cpu].x[1] = x1;
	cpus[cpu].x[2] = x2;
	cpus[cpu].x[3] = x3;
	take(cpu, TRAP_SYNC, (uint64_t)EC_SMC64 << 26 | ESR_IL);
	return cpus[cpu].x[0];
}

void data_abort(uint32_t cpu, uint64_t ipa, uint64_t iss)
{
	*reg(cpu, REG_HPFAR_EL2) = ipa >> 12 << 4;
	*reg(cpu, REG_FAR_EL2) = 0xffff800000000000 | (ipa & 0xffffff);
	take(cpu, TRAP_SYNC, (uint64_t)EC_DATA_ABORT << 26 | ESR_IL | iss | 7);
}

void start(void)
{
	fake_reset();
	if (boot() != BOOT_OK)
		violation("boot");
	for (uint32_t cpu = FAKE_CPUS; cpu-- > 0;) {
		fake_cpu = cpu;
		cpu_start(cpu);
		cpus[cpu].started = 1;
	}
	tlb_root(0, TABLES);
	settle();
}

void build(uint32_t vm, uint32_t count)
{
	uint64_t p = ROOT(vm);

	GRANTED(VM_CREATE, vm, p, IPA(0), WINDOW_PAGES, count);
	GRANTED(TABLE_ADD, vm, IPA(0), 2, p + 0x1000);
	GRANTED(TABLE_ADD, vm, IPA(0), 3, p + 0x2000);
	GRANTED(TABLE_ADD, vm, SHARED(0), 2, p + 0x3000);
	GRANTED(TABLE_ADD, vm, SHARED(0), 3, p + 0x4000);
}

void active(uint32_t vm, uint32_t count)
{
	build(vm, count);
	for (uint32_t i = 0; i < 512; i++)
		poke(CODE(vm) >> 12, i, 0x1000 * vm + i);
	GRANTED(PAGE_ADD, vm, IPA(0), CODE(vm), 1);
	GRANTED(PAGE_ADD_ZERO, vm, IPA(1), ZERO(vm), 1, 3);
	for (uint32_t k = 0; k < count; k++)
		GRANTED(VCPU_CREATE, vm, k, CONTEXT(vm, k), RUN(vm, k), IPA(0) + 4, 0x77 + k);
	GRANTED(VM_ACTIVATE, vm);
}

uint64_t run(uint32_t cpu, uint64_t vm, uint64_t vcpu)
{
	uint64_t x0 = hvc(cpu, NIE_VCPU_RUN, (const uint64_t[6]){ vm, vcpu });

	return cpus[cpu].vm == CPU_HOST ? x0 : NIE_OK;
}

void kick(uint32_t cpu)
{
	take(cpu, TRAP_IRQ, 0);
}

uint64_t out(uint32_t vm, uint32_t vcpu, uint32_t word)
{
	return peek(RUN(vm, vcpu) >> 12, word);
}

void in(uint32_t vm, uint32_t vcpu, uint32_t word, uint64_t value)
{
	poke(RUN(vm, vcpu) >> 12, word, value);
}
