/* SPDX-License-Identifier: Apache-2.0 */
/* The run record of a running vCPU is donated: at the exit the engine would write into its new owner's page. */
#include "vm.h"

TEST(bad_page_add_run_record_while_running)
{
	const uint64_t ipa = WINDOW + 100 * PAGE;

	victim(0);
	busy_vm(1);
	vm_create(2, 1);
	run_on(1, 1);
	REFUSED(OWNER, PAGE_ADD, 2, ipa, vm[1].run[0], 1);
	REFUSED(OWNER, PAGE_ADD_ZERO, 0, ipa, vm[1].run[0], 1, 3);
	REFUSED(OWNER, PAGE_SHARED_ADD, 0, SHARED, vm[1].run[0], 1);
	REFUSED(OWNER, TABLE_ADD, 0, WINDOW + MIB2, 3, vm[1].run[0]);
	REFUSED(OWNER, VM_CREATE, 3, vm[1].run[0], WINDOW, 16, 1);
	REFUSED(OWNER, VCPU_CREATE, 2, 0, vm[1].run[0], page(), WINDOW, 0);
	kick(1);
	CHECK_EQ(wait_cpu(1), NIE_EXIT_IRQ);
	/* Nor at rest. */
	REFUSED(OWNER, PAGE_ADD, 2, ipa, vm[1].run[0], 1);
	victim_intact(0);
}
