/* SPDX-License-Identifier: Apache-2.0 */
/* A page is taken while the VM writes it without end: no store arrives after the host has it. */
#include "vm.h"

TEST(good_page_remove_while_running)
{
	for (uint32_t round = 0; round < 4; round++) {
		uint64_t taken;

		busy_vm(0);
		run_on(1, 0);
		goes_on(0, 0);
		taken = CALL_X1(PAGE_REMOVE, 0, WINDOW + MIB2 + PAGE, 1);
		for (uint32_t n = 0; n < 100; n++) {
			CHECK(is_zero(taken));
			delay(1000);
		}
		/* The VM takes its abort for ever: guest_busy has no handler. */
		kick(1);
		CHECK_EQ(wait_cpu(1), NIE_EXIT_IRQ);
		CHECK(is_zero(taken));
		vm_destroy(0);
	}
}
