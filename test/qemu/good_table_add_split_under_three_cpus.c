/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A VM writes and reads a block on three CPUs while the host splits it: no write is lost, no fault is reported, neither
 * to the VM nor to the host. Sixteen times, on fresh blocks.
 */
#include "vm.h"

enum { VCPUS = 3, ROUNDS = 16 };

static uint64_t run_vcpu(uint64_t k)
{
	CHECK_EQ(CALL(VCPU_RUN, 0, k), NIE_OK);
	acknowledge();
	return out(0, (uint32_t)k, RUN_OUT_REASON);
}

static void start(uint64_t block)
{
	vm_create(0, VCPUS);
	vm_load(0);
	CHECK_EQ(CALL(PAGE_ADD_ZERO, 0, WINDOW + MIB2, block, 512, 2), NIE_OK);
	for (uint32_t k = 0; k < VCPUS; k++)
		vm_vcpu(0, k, guest_busy_all, k);
	CHECK_EQ(CALL(VM_ACTIVATE, 0), NIE_OK);
	for (uint32_t k = 1; k < VCPUS; k++) {
		CHECK_EQ(enter(0, 0), NIE_EXIT_CPU_ON);
		CHECK_EQ(out(0, 0, RUN_OUT_VALUE), k);
	}
}

TEST(good_table_add_split_under_three_cpus)
{
	uint64_t block = pages(512, MIB2);

	for (uint32_t round = 0; round < ROUNDS; round++) {
		start(block);
		for (uint32_t k = 0; k < VCPUS; k++)
			on_cpu(1 + k, run_vcpu, k);
		while (CALL_X1(VM_INFO, 0) != (NIE_VM_ACTIVE | VCPUS << 8))
			;
		delay(500);
		vm_table(0, WINDOW + MIB2, 3);
		delay(500);
		/* Nobody left meanwhile. */
		CHECK_EQ(CALL_X1(VM_INFO, 0), NIE_VM_ACTIVE | VCPUS << 8);
		for (uint32_t k = 0; k < VCPUS; k++) {
			kick(1 + k);
			CHECK_EQ(wait_cpu(1 + k), NIE_EXIT_IRQ);
		}
		vm_destroy(0);
	}
}
