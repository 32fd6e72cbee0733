/* SPDX-License-Identifier: Apache-2.0 */
/* The world switch: what each side finds in the registers, and the constants around it. */
#include "vm.h"
#include "../../engine/core/world.h"

static uint64_t host_value(uint32_t r)
{
	return 0x1057000000 + r;
}

static uint64_t vm_value(uint32_t r)
{
	return 0x5ec4e7000000 + r;
}

static bool is_secret(uint64_t value)
{
	return value >> 24 == 0x5ec4e7;
}

/* Fill what EL1 can write. */
static void fill(uint32_t cpu, uint64_t (*value)(uint32_t))
{
	for (uint32_t i = 0; i < 31; i++)
		cpus[cpu].x[i] = value(100 + i);
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		*reg(cpu, r) = value(r);
	for (uint32_t i = 0; i < 66; i++)
		fake_fp[cpu][i] = value(200 + i);
	*reg(cpu, REG_ICH_AP0R0_EL2) = value(300);
	*reg(cpu, REG_ICH_AP1R0_EL2) = value(301);
	*reg(cpu, REG_VDISR_EL2) = value(303);
}

static void first_entry_is_a_reset(void)
{
	/* What the host left in the page is no register of the vCPU's. */
	for (uint32_t i = 0; i < 512; i++)
		poke(CONTEXT(0, 0) >> 12, i, host_value(i));
	active(0, 1);
	fill(1, host_value);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	CHECK_EQ(cpus[1].x[0], 0x77);
	for (uint32_t i = 1; i < 31; i++)
		CHECK_EQ(cpus[1].x[i], 0);
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		CHECK_EQ(*reg(1, r), r == REG_SCTLR_EL1  ? 0x30d00800
				     : r == REG_ELR_EL2  ? IPA(0) + 4
				     : r == REG_SPSR_EL2 ? 0x3c5
							 : 0);
	for (uint32_t i = 0; i < 66; i++)
		CHECK_EQ(fake_fp[1][i], 0);
	CHECK_EQ(*reg(1, REG_ICH_VMCR_EL2) | *reg(1, REG_ICH_AP0R0_EL2) |
			 *reg(1, REG_ICH_AP1R0_EL2) | *reg(1, REG_VDISR_EL2),
		 0);
	kick(1);
}

static void host_finds_its_own(void)
{
	active(0, 1);
	fill(1, host_value);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	fill(1, vm_value);
	kick(1);
	CHECK_EQ(cpus[1].x[0], NIE_OK);
	CHECK_EQ(cpus[1].x[1], 0);
	for (uint32_t i = 3; i < 31; i++)
		CHECK_EQ(cpus[1].x[i], i < 7 ? 0 : host_value(100 + i));
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		CHECK_EQ(*reg(1, r), host_value(r));
	for (uint32_t i = 0; i < 66; i++)
		CHECK_EQ(fake_fp[1][i], 0);
}

static void vcpu_finds_its_own_on_another_cpu(void)
{
	active(0, 1);
	run(1, 0, 0);
	fill(1, vm_value);
	*reg(1, REG_ICH_VMCR_EL2) = vm_value(302);
	kick(1);
	fill(2, host_value);
	CHECK_EQ(run(2, 0, 0), NIE_OK);
	for (uint32_t i = 0; i < 31; i++)
		CHECK_EQ(cpus[2].x[i], vm_value(100 + i));
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		CHECK_EQ(*reg(2, r), vm_value(r));
	for (uint32_t i = 0; i < 66; i++)
		CHECK_EQ(fake_fp[2][i], vm_value(200 + i));
	CHECK_EQ(*reg(2, REG_ICH_AP0R0_EL2), vm_value(300));
	CHECK_EQ(*reg(2, REG_ICH_AP1R0_EL2), vm_value(301));
	CHECK_EQ(*reg(2, REG_VDISR_EL2), vm_value(303));
	CHECK_EQ(*reg(2, REG_ICH_VMCR_EL2), vm_value(302));
	kick(2);
}

/* After every kind of exit no word that the host can read holds a value of the VM but the timer's. */
static void nothing_of_the_vm_is_left(void)
{
	active(0, 1);
	run(1, 0, 0);
	fill(1, vm_value);
	*reg(1, REG_ICH_VMCR_EL2) = 0;
	kick(1);
	for (uint32_t i = 0; i < 31; i++)
		CHECK(!is_secret(cpus[1].x[i]));
	for (uint32_t r = 0; r < REG_SWITCHED; r++)
		CHECK(!is_secret(*reg(1, r)));
	for (uint32_t w = 0; w < 512; w++) {
		if (w != RUN_OUT_CNTV_CTL && w != RUN_OUT_CNTV_CVAL)
			CHECK(!is_secret(out(0, 0, w)));
	}
}

static void check_constants(uint32_t cpu)
{
	/* SVE, SME, trace, AMU trap; FP does not [ArmARM, CPTR_EL2]. */
	uint64_t cptr = *reg(cpu, REG_CPTR_EL2);
	uint64_t mdcr = *reg(cpu, REG_MDCR_EL2);

	CHECK_EQ(cptr >> 8 & 1, 1);
	CHECK_EQ(cptr >> 10 & 1, 0);
	CHECK_EQ(cptr >> 12 & 1, 1);
	CHECK_EQ(cptr >> 20 & 1, 1);
	CHECK_EQ(cptr >> 30 & 1, 1);
	/* TPMCR, TPM, TDA, TDOSA, TDRA, TPMS, TTRF; no TDE, no HPME. */
	CHECK_EQ(mdcr & ~0x1fULL, 0x84e60);
	CHECK_EQ(*reg(cpu, REG_HSTR_EL2), 0);
	/* 39 bits from level 1, 4 KiB [ArmARM, VTCR_EL2]. */
	CHECK_EQ(*reg(cpu, REG_VTCR_EL2), 0x80023559);
	CHECK_EQ(*reg(cpu, REG_ICC_SRE_EL2) & 9, 1);
	CHECK_EQ(*reg(cpu, REG_VPIDR_EL2), *reg(cpu, REG_MIDR_EL1));
}

static void constants_of_the_host(void)
{
	/* VM, SWIO, PTW, TID3, TSC, TIDCP, TACR, TSW, RW, TLOR, TERR; interrupts are its own. */
	check_constants(1);
	CHECK_EQ(*reg(1, REG_HCR_EL2), 0x18807c0007);
	CHECK_EQ(*reg(1, REG_VMPIDR_EL2), *reg(1, REG_MPIDR_EL1));
	CHECK_EQ(*reg(1, REG_CNTVOFF_EL2), 0);
	CHECK_EQ(*reg(1, REG_CNTHCTL_EL2), 3);
	CHECK_EQ(*reg(1, REG_ICH_HCR_EL2), 0);
}

static void constants_of_a_vcpu(void)
{
	active(5, 2);
	CHECK_EQ(run(1, 5, 0), NIE_OK);
	check_constants(1);
	/* The host's, and FMO, IMO, AMO, FB, BSU, TWI. */
	CHECK_EQ(*reg(1, REG_HCR_EL2), 0x18807c263f);
	CHECK_EQ(*reg(1, REG_VTTBR_EL2), 6ULL << 48 | ROOT(5));
	CHECK_EQ(*reg(1, REG_VMPIDR_EL2), 0x80000000);
	CHECK_EQ(*reg(1, REG_CNTVOFF_EL2), vms[5].cntvoff);
	CHECK(vms[5].cntvoff != 0);
	CHECK_EQ(*reg(1, REG_CNTHCTL_EL2), 1);
	kick(1);
	constants_of_the_host();
}

static void host_after_cpu_start(void)
{
	for (uint32_t cpu = 0; cpu < FAKE_CPUS; cpu++) {
		for (uint32_t i = 1; i < 31; i++)
			CHECK_EQ(cpus[cpu].x[i], 0);
		CHECK_EQ(*reg(cpu, REG_SPSR_EL2), 0x3c5);
		CHECK_EQ(*reg(cpu, REG_SCTLR_EL1), 0x30d00800);
	}
	CHECK_EQ(cpus[0].x[0], ((uint64_t)KEEP_BASE << 12) + 0x8000);
	CHECK_EQ(*reg(0, REG_ELR_EL2), (uint64_t)KEEP_BASE << 12);
}

TESTS(world, TEST(first_entry_is_a_reset), TEST(host_finds_its_own),
      TEST(vcpu_finds_its_own_on_another_cpu), TEST(nothing_of_the_vm_is_left),
      TEST(constants_of_the_host), TEST(constants_of_a_vcpu), TEST(host_after_cpu_start));
