/* SPDX-License-Identifier: Apache-2.0 */
/* The host loads from, stores to and executes the victim's pages and the engine's, from each CPU. */
#include "vm.h"

static uint64_t attack(uint64_t address)
{
	uint64_t esr;

	check_forbidden(address);
	check_forbidden(address + PAGE - 8);
	esr = try_execute(address);
	CHECK_EQ(esr >> 26, ESR_FETCH_ABORT);
	CHECK_EQ(esr & 63, FSC_EXTERNAL);
	return 1;
}

TEST(bad_host_access_to_vm)
{
	victim(0);
	const uint64_t t[] = {
		vm[0].code,         vm[0].data,       vm[0].stacks, vm[0].root,
		vm[0].tables[1].pa, vm[0].context[0], ENGINE,       ENGINE + 0x100000
	};

	for (uint32_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		attack(t[i]);
		for (uint32_t cpu = 1; cpu < CPUS; cpu++)
			on_cpu(cpu, attack, t[i]);
		for (uint32_t cpu = 1; cpu < CPUS; cpu++)
			CHECK_EQ(wait_cpu(cpu), 1);
	}
	/* Beyond RAM, and devices that can read and write memory. */
	check_forbidden((uint64_t)RAM + RAM_BYTES);
	check_forbidden(0x08080000); /* ITS */
	check_forbidden(0x09020000); /* fw_cfg */
	check_forbidden(0x0a000000); /* virtio-mmio */
	check_forbidden(0x09050000); /* SMMU */
	check_forbidden(0x10000000); /* PCIe */
	check_forbidden(0); /* flash */
	victim_intact(0);
}
