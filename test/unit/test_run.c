/* SPDX-License-Identifier: Apache-2.0 */
/* VCPU_RUN: every status, list registers, the run record, and who runs where. */
#include "vm.h"
#include "../../engine/core/trap.h"

/* A pending interrupt in a list register: group 1, priority 0x80. */
#define PENDING(n) (1ULL << 62 | 1ULL << 60 | 0x80ULL << 48 | (uint64_t)(n))
#define HW         (1ULL << 61)
#define PHYS(n)    ((uint64_t)(n) << 32)

static void vcpu_run(void)
{
	REFUSED(VCPU_RUN, VM, "index 64", NIE_MAX_VMS, 0);
	REFUSED(VCPU_RUN, VM_STATE, "free", 0, 0);
	build(1, 1);
	REFUSED(VCPU_RUN, VM_STATE, "building", 1, 0);
	active(0, 2);
	REFUSED(VCPU_RUN, VCPU, "index 2 of 2", 0, 2);
	REFUSED(VCPU_RUN, VCPU, "index 2^32", 0, 1ULL << 32);
	REFUSED(VCPU_RUN, VCPU_STATE, "off", 0, 1);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	REFUSED(VCPU_RUN, BUSY, "runs on another CPU", 0, 0);
	kick(1);
	GRANTED(VCPU_RUN, 0, 0);
	kick(0);
	GRANTED(VM_STOP, 0);
	REFUSED(VCPU_RUN, VM_STATE, "stopped", 0, 0);
}

static void refuse_lr(const char *why, uint32_t n, uint64_t lr)
{
	in(0, 0, RUN_IN_LR0 + n, lr);
	REFUSED(VCPU_RUN, LR, why, 0, 0);
	in(0, 0, RUN_IN_LR0 + n, 0);
}

static void bad_list_registers(void)
{
	active(0, 1);
	refuse_lr("not 0 and state 0", 0, 33);
	refuse_lr("priority and state 0", 1, 0x80ULL << 48);
	refuse_lr("interrupt 1020", 0, PENDING(1020));
	refuse_lr("interrupt 1023", 3, PENDING(1023));
	refuse_lr("an LPI", 0, PENDING(8192));
	refuse_lr("interrupt 2^31", 0, PENDING(1ULL << 31));
	refuse_lr("bit 45", 0, PENDING(33) | 1ULL << 45);
	refuse_lr("bit 47", 0, PENDING(33) | 1ULL << 47);
	refuse_lr("bit 56", 0, PENDING(33) | 1ULL << 56);
	refuse_lr("bit 59 (NMI)", 0, PENDING(33) | 1ULL << 59);
	refuse_lr("physical number without HW", 0, PENDING(33) | PHYS(33));
	refuse_lr("HW for an SPI", 0, PENDING(33) | HW | PHYS(33));
	refuse_lr("HW for the host's timer", 0, PENDING(27) | HW | PHYS(30));
	refuse_lr("HW for virtual 30", 0, PENDING(30) | HW | PHYS(27));
	refuse_lr("HW, pending and active", 0, PENDING(27) | 1ULL << 63 | HW | PHYS(27));
}

static void same_interrupt_twice(void)
{
	active(0, 1);
	for (uint32_t i = 1; i < NIE_LRS; i++) {
		in(0, 0, RUN_IN_LR0, PENDING(40));
		refuse_lr("twice", i, PENDING(40) | 1ULL << 63);
	}
	in(0, 0, RUN_IN_LR0, 0);
	in(0, 0, RUN_IN_LR0 + 3, PENDING(0));
	refuse_lr("SGI 0 twice", 2, PENDING(0));
}

static void good_list_registers(void)
{
	const uint64_t lrs[NIE_LRS] = { PENDING(27) | HW | PHYS(27), PENDING(33) | PHYS(1 << 9),
					PENDING(1019) | 1ULL << 63, 2ULL << 62 | 5 };

	active(0, 1);
	for (uint32_t i = 0; i < NIE_LRS; i++)
		in(0, 0, RUN_IN_LR0 + i, lrs[i]);
	in(0, 0, RUN_IN_ICH_HCR, ALL_ONES);
	CHECK_EQ(run(2, 0, 0), NIE_OK);
	for (uint32_t i = 0; i < NIE_LRS; i++)
		CHECK_EQ(*reg(2, REG_ICH_LR0_EL2 + i), lrs[i]);
	/* Only the interrupt enables, and En. */
	CHECK_EQ(*reg(2, REG_ICH_HCR_EL2), 0xff);
	kick(2);
	CHECK_EQ(*reg(2, REG_ICH_HCR_EL2), 0);
}

/* The host changes a list register after the engine looked at it. */
static void record_is_read_once(void)
{
	active(0, 1);
	for (uint32_t i = 0; i < RUN_IN_END; i++) {
		in(0, 0, i, 0);
		fake_race(RUN(0, 0) >> 12, i, PENDING(33) | HW | PHYS(33));
		CHECK_EQ(run(1, 0, 0), NIE_OK);
		CHECK_EQ(*reg(1, REG_ICH_LR0_EL2), 0);
		CHECK_EQ(*reg(1, REG_ICH_LR3_EL2), 0);
		in(0, 0, i, 0);
		kick(1);
	}
	fake_counts.host_reads = 0;
	run(1, 0, 0);
	CHECK_EQ(fake_counts.host_reads, RUN_IN_END);
	kick(1);
}

/* Every word of the second part is written at each exit, and nothing else of the page. */
static void record_is_written_whole(void)
{
	active(0, 1);
	for (uint32_t i = 0; i < 512; i++)
		in(0, 0, i, i < RUN_IN_END ? 0 : 0xabcdef);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	for (uint32_t r = 0; r < 31; r++)
		cpus[1].x[r] = 0x5ec4e7;
	*reg(1, REG_ICH_LR1_EL2) = PENDING(34);
	*reg(1, REG_ICH_MISR_EL2) = 1;
	*reg(1, REG_ICH_VMCR_EL2) = 0xf0ffffff;
	*reg(1, REG_ICH_HCR_EL2) = 3ULL << 27 | 1;
	*reg(1, REG_CNTV_CTL_EL0) = 5;
	*reg(1, REG_CNTV_CVAL_EL0) = 100;
	kick(1);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_IRQ);
	for (uint32_t w = RUN_OUT_IPA; w < RUN_OUT_LR0; w++)
		CHECK_EQ(out(0, 0, w), 0);
	CHECK_EQ(out(0, 0, RUN_OUT_LR0), 0);
	CHECK_EQ(out(0, 0, RUN_OUT_LR0 + 1), PENDING(34));
	CHECK_EQ(out(0, 0, RUN_OUT_MISR), 1);
	CHECK_EQ(out(0, 0, RUN_OUT_VMCR), 0xf0000003);
	CHECK_EQ(out(0, 0, RUN_OUT_EOICOUNT), 3);
	CHECK_EQ(out(0, 0, RUN_OUT_CNTV_CTL), 5);
	CHECK_EQ(out(0, 0, RUN_OUT_CNTV_CVAL), 100 + vms[0].cntvoff);
	for (uint32_t w = RUN_IN_END; w < 512; w++)
		CHECK(w >= RUN_OUT_REASON && w < RUN_OUT_END ? out(0, 0, w) != 0xabcdef
							     : out(0, 0, w) == 0xabcdef);
}

static void exits_of_interrupts(void)
{
	active(0, 1);
	run(1, 0, 0);
	take(1, TRAP_FIQ, 0);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_IRQ);
	run(1, 0, 0);
	take(1, TRAP_SERROR, 0xbe000000 | 0x1234);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_SERROR);
	CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 0);
	CHECK_EQ(cpus[1].x[0], NIE_OK);
	CHECK_EQ(cpus[1].vm, CPU_HOST);
}

static void wfi_steps_over(void)
{
	active(0, 1);
	run(1, 0, 0);
	take(1, TRAP_SYNC, (uint64_t)EC_WFX << 26 | ESR_IL);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_WFI);
	run(1, 0, 0);
	CHECK_EQ(*reg(1, REG_ELR_EL2), IPA(0) + 8);
	kick(1);
}

/* Its record cannot be given to anyone while, or before, or after it runs. */
static void record_stays_with_its_vcpu(void)
{
	active(0, 1);
	build(1, 1);
	REFUSED(PAGE_ADD, OWNER, "record of a vCPU at rest", 1, IPA(0), RUN(0, 0), 1);
	CHECK_EQ(run(1, 0, 0), NIE_OK);
	REFUSED(PAGE_ADD, OWNER, "record of a running vCPU", 1, IPA(0), RUN(0, 0), 1);
	REFUSED(PAGE_ADD_ZERO, OWNER, "the same, to its own VM", 0, IPA(5), RUN(0, 0), 1, 3);
	REFUSED(PAGE_SHARED_ADD, OWNER, "the same, shared", 0, SHARED(0), RUN(0, 0), 1);
	REFUSED(TABLE_ADD, OWNER, "the same, as a table", 1, IPA(512), 3, RUN(0, 0));
	REFUSED(VM_CREATE, OWNER, "the same, as a root", 2, RUN(0, 0), IPA(0), 1, 1);
	REFUSED(VCPU_CREATE, OWNER, "the same, as a context", 1, 0, RUN(0, 0), RUN(1, 0), IPA(0),
		0);
	kick(1);
}

/* One vCPU after another on one CPU, and one vCPU on two CPUs: tlb_resume looks at what they may find. */
static void vcpus_take_turns(void)
{
	active(0, 2);
	active(1, 1);
	run(1, 0, 0);
	cpus[1].x[0] = 0xc4000003;
	cpus[1].x[1] = 1;
	cpus[1].x[2] = IPA(0);
	take(1, TRAP_SYNC, (uint64_t)EC_HVC64 << 26 | ESR_IL);
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_CPU_ON);
	for (uint32_t i = 0; i < 12; i++) {
		uint32_t cpu = i % 3;

		CHECK_EQ(run(cpu, 0, i % 2), NIE_OK);
		CHECK_EQ(run((cpu + 1) % 3, 0, (i + 1) % 2), NIE_OK);
		kick(cpu);
		CHECK_EQ(run(cpu, 1, 0), NIE_OK);
		kick(cpu);
		kick((cpu + 1) % 3);
	}
}

static void no_flush_for_the_same_vcpu(void)
{
	active(0, 1);
	run(1, 0, 0);
	kick(1);
	fake_counts.tlbi_local = fake_counts.tlbi = 0;
	run(1, 0, 0);
	CHECK_EQ(fake_counts.tlbi_local + fake_counts.tlbi, 0);
	kick(1);
}

TESTS(run, TEST(vcpu_run), TEST(bad_list_registers), TEST(same_interrupt_twice),
      TEST(good_list_registers), TEST(record_is_read_once), TEST(record_is_written_whole),
      TEST(exits_of_interrupts), TEST(wfi_steps_over), TEST(record_stays_with_its_vcpu),
      TEST(vcpus_take_turns), TEST(no_flush_for_the_same_vcpu));
