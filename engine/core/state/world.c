/* SPDX-License-Identifier: Apache-2.0 */
#include "../world.h"
#include "../granule.h"
#include "../prim.h"
#include "../mmio.h"

void controls_both(void)
{
	uint64_t hpmn = sysreg_read(REG_MDCR_EL2) & MDCR_HPMN;
	uint64_t midr = sysreg_read(REG_MIDR_EL1);

	sysreg_write(REG_MDCR_EL2, MDCR_BOTH | hpmn);
	sysreg_write(REG_CPTR_EL2, CPTR_BOTH);
	sysreg_write(REG_HSTR_EL2, 0);
	sysreg_write(REG_VTCR_EL2, VTCR_BOTH);
	sysreg_write(REG_ICC_SRE_EL2, ICC_SRE_BOTH);
	sysreg_write(REG_VPIDR_EL2, midr);
}

void controls_host(void)
{
	uint64_t mpidr = sysreg_read(REG_MPIDR_EL1);

	sysreg_write(REG_HCR_EL2, HCR_HOST);
	sysreg_write(REG_VTTBR_EL2, address_of(config.word[MAN_TABLES]));
	sysreg_write(REG_VMPIDR_EL2, mpidr);
	sysreg_write(REG_CNTVOFF_EL2, 0);
	sysreg_write(REG_CNTHCTL_EL2, CNTHCTL_HOST);
	sysreg_write(REG_ICH_HCR_EL2, 0);
	isb();
}

void controls_vcpu(uint32_t vm, uint32_t vcpu)
{
	sysreg_write(REG_HCR_EL2, HCR_GUEST);
	sysreg_write(REG_VTTBR_EL2, (uint64_t)(vm + 1) << 48 | address_of(vms[vm].root));
	sysreg_write(REG_VMPIDR_EL2, 1ULL << 31 | vcpu);
	sysreg_write(REG_CNTVOFF_EL2, vms[vm].cntvoff);
	sysreg_write(REG_CNTHCTL_EL2, CNTHCTL_GUEST);
	isb();
}

static void save_host(uint32_t cpu)
{
	for (uint32_t i = 0; i < 31; i++)
		cpus[cpu].host_x[i] = cpus[cpu].x[i];
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		cpus[cpu].host_sysreg[r] = sysreg_read(r);
}

static void load_host(uint32_t cpu)
{
	for (uint32_t i = 0; i < 31; i++)
		cpus[cpu].x[i] = cpus[cpu].host_x[i];
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		sysreg_write(r, cpus[cpu].host_sysreg[r]);
}

/* Two at a time, x0-x29, then x30: one LDP and one STP for each pair. */
static void load_general(uint32_t cpu, struct pfn context)
{
	for (uint32_t i = 0; i < 15; i++) {
		uint64_t even = page_read(context, CTX_X0 + 2 * i);
		uint64_t odd = page_read(context, CTX_X0 + 2 * i + 1);

		cpus[cpu].x[2 * i] = even;
		cpus[cpu].x[2 * i + 1] = odd;
	}
	uint64_t last = page_read(context, CTX_X0 + 30);

	cpus[cpu].x[30] = last;
}

static void save_general(uint32_t cpu, struct pfn context)
{
	for (uint32_t i = 0; i < 15; i++) {
		uint64_t even = cpus[cpu].x[2 * i];
		uint64_t odd = cpus[cpu].x[2 * i + 1];

		page_write(context, CTX_X0 + 2 * i, even);
		page_write(context, CTX_X0 + 2 * i + 1, odd);
	}
	page_write(context, CTX_X0 + 30, cpus[cpu].x[30]);
}

static void load_vcpu(uint32_t cpu, struct pfn context)
{
	load_general(cpu, context);
	for (uint32_t r = 0; r < REG_SWITCHED; r++) {
		uint64_t value = page_read(context, CTX_SYSREG + r);

		sysreg_write(r, value);
	}
	for (uint32_t r = 0; r < CTX_ICH_COUNT; r++) {
		uint64_t value = page_read(context, CTX_ICH + r);

		sysreg_write(REG_ICH_VMCR_EL2 + r, value);
	}
	uint64_t deferred = page_read(context, CTX_VDISR);

	sysreg_write(REG_VDISR_EL2, deferred);
	fp_load(context, CTX_FP);
}

static void save_vcpu(uint32_t cpu, struct pfn context)
{
	save_general(cpu, context);
	for (uint32_t r = 0; r < REG_SWITCHED; r++) {
		uint64_t value = sysreg_read(r);

		page_write(context, CTX_SYSREG + r, value);
	}
	for (uint32_t r = 0; r < CTX_ICH_COUNT; r++) {
		uint64_t value = sysreg_read(REG_ICH_VMCR_EL2 + r);

		page_write(context, CTX_ICH + r, value);
	}
	uint64_t deferred = sysreg_read(REG_VDISR_EL2);

	page_write(context, CTX_VDISR, deferred);
	fp_save(context, CTX_FP);
	/* The host must not find the VM's vectors: VCPU_RUN returns them zeroed. */
	fp_zero();
}

void enter_vcpu(uint32_t cpu, uint32_t vm, uint32_t vcpu)
{
	struct vcpu *v = &vcpus[vm * NIE_MAX_VCPUS + vcpu];

	v->state = VCPU_RUNNING;
	v->cpu = cpu;
	vms[vm].running = vms[vm].running + 1;
	cpus[cpu].vm = vm;
	cpus[cpu].vcpu = vcpu;
	save_host(cpu);
	load_vcpu(cpu, (struct pfn){ v->context });
	for (uint32_t i = 0; i < NIE_LRS; i++)
		sysreg_write(REG_ICH_LR0_EL2 + i, cpus[cpu].in[RUN_IN_LR0 + i]);
	sysreg_write(REG_ICH_HCR_EL2,
		     ICH_HCR_EN | (cpus[cpu].in[RUN_IN_ICH_HCR] & ICH_HCR_ENABLES));
	controls_vcpu(vm, vcpu);
	/* Another vCPU of this VM may have left entries here that are private to it [ArmARM, D8.16.3]. */
	if (lasts[vm].vcpu[cpu] != vcpu + 1) {
		tlbi_vmid_local(vm + 1);
		ic_invalidate();
		dsb_ish();
		isb();
		lasts[vm].vcpu[cpu] = (uint8_t)(vcpu + 1);
	}
	mmio_answer(cpu, vm, vcpu);
}

/* Words of the record that every exit has; the timer's and the interrupt controller's state. */
static void write_common(struct pfn run, uint32_t vm)
{
	for (uint32_t i = 0; i < NIE_LRS; i++) {
		uint64_t lr = sysreg_read(REG_ICH_LR0_EL2 + i);

		host_write(run, RUN_OUT_LR0 + i, lr);
	}
	uint64_t misr = sysreg_read(REG_ICH_MISR_EL2);
	uint64_t vmcr = sysreg_read(REG_ICH_VMCR_EL2);
	uint64_t hcr = sysreg_read(REG_ICH_HCR_EL2);
	uint64_t control = sysreg_read(REG_CNTV_CTL_EL0);
	uint64_t deadline = sysreg_read(REG_CNTV_CVAL_EL0);

	host_write(run, RUN_OUT_MISR, misr);
	host_write(run, RUN_OUT_VMCR, vmcr & ICH_VMCR_SHOWN);
	host_write(run, RUN_OUT_EOICOUNT, (hcr >> 27) & 31);
	host_write(run, RUN_OUT_CNTV_CTL, control);
	host_write(run, RUN_OUT_CNTV_CVAL, deadline + vms[vm].cntvoff);
}

static void write_exit(uint32_t cpu, struct pfn run, struct exit e)
{
	host_write(run, RUN_OUT_REASON, e.reason);
	host_write(run, RUN_OUT_IPA, e.ipa);
	host_write(run, RUN_OUT_WIDTH, e.width);
	host_write(run, RUN_OUT_VALUE, e.value);
	for (uint32_t i = 0; i < 7; i++) {
		uint64_t x = e.reason == NIE_EXIT_HOST_CALL ? cpus[cpu].x[i] : 0;

		host_write(run, RUN_OUT_X0 + i, x);
	}
}

void exit_vcpu(uint32_t cpu, struct exit e)
{
	uint32_t vm = cpus[cpu].vm;
	struct vcpu *v = &vcpus[vm * NIE_MAX_VCPUS + cpus[cpu].vcpu];

	write_common((struct pfn){ v->run }, vm);
	write_exit(cpu, (struct pfn){ v->run }, e);
	save_vcpu(cpu, (struct pfn){ v->context });
	/* No store is on its way while the lock is free: whatever the page becomes, no walker meets an old one. */
	dsb_ish();
	v->state = e.reason == NIE_EXIT_CPU_OFF ? VCPU_OFF : VCPU_READY;
	vms[vm].running = vms[vm].running - 1;
	cpus[cpu].vm = CPU_HOST;
	load_host(cpu);
	cpus[cpu].x[0] = NIE_OK;
	controls_host();
}
