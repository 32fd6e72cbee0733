/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM writes and reads blocks on three CPUs while the host splits them: no write is lost, no fault is reported, neither
 * to the VM nor to the host. Four blocks, eight times.
 */
#include "vm.h"

enum { VCPUS = 3, ROUNDS = 8 };

static uint64_t run_vcpu(uint64_t k)
{
	CHECK_EQ(CALL(VCPU_RUN, 0, k), NIE_OK);
	acknowledge();
	return out(0, (uint32_t)k, RUN_OUT_REASON);
}

static void start(uint64_t blocks)
{
	vm_create(0, VCPUS);
	vm_load(0);
	vm_share(0);
	for (uint64_t b = 0; b < BUSY_BLOCKS; b++)
		CHECK_EQ(CALL(PAGE_ADD_ZERO, 0, WINDOW + (b + 1) * MIB2, blocks + b * MIB2, 512, 2),
			 NIE_OK);
	for (uint32_t k = 0; k < VCPUS; k++)
		vm_vcpu(0, k, guest_busy_all, k);
	CHECK_EQ(CALL(VM_ACTIVATE, 0), NIE_OK);
	for (uint32_t k = 1; k < VCPUS; k++) {
		CHECK_EQ(enter(0, 0), NIE_EXIT_CPU_ON);
		CHECK_EQ(out(0, 0, RUN_OUT_VALUE), k);
	}
}

static bool all_run(void)
{
	return CALL_X1(VM_INFO, 0) == (NIE_VM_ACTIVE | VCPUS << 8);
}

/* Every vCPU makes progress, and none has left. */
static void all_go_on(void)
{
	for (uint32_t k = 0; k < VCPUS; k++) {
		CHECK(all_run());
		goes_on(0, k);
	}
}

TEST(good_table_add_split_under_three_cpus)
{
	uint64_t blocks = pages(512 * BUSY_BLOCKS, MIB2);

	for (uint32_t round = 0; round < ROUNDS; round++) {
		start(blocks);
		for (uint32_t k = 0; k < VCPUS; k++)
			on_cpu(1 + k, run_vcpu, k);
		while (!all_run())
			;
		for (uint64_t b = 0; b < BUSY_BLOCKS; b++) {
			all_go_on();
			vm_table(0, WINDOW + (b + 1) * MIB2, 3);
		}
		all_go_on();
		for (uint32_t k = 0; k < VCPUS; k++) {
			kick(1 + k);
			CHECK_EQ(wait_cpu(1 + k), NIE_EXIT_IRQ);
		}
		vm_destroy(0);
	}
}
