/* SPDX-License-Identifier: Apache-2.0 */
/* A device that the host emulates: width, value, address, answer; what is not answered is asked again. */
#include "vm.h"

TEST(good_vcpu_run_mmio)
{
	vm_start(0, 1, guest_driver, 0);
	for (uint64_t n = 0; n < 4; n++) {
		uint64_t value = 0x1122334455667700 + n;

		CHECK_EQ(enter(0, 0), NIE_EXIT_MMIO_READ);
		CHECK_EQ(out(0, 0, RUN_OUT_IPA), DEVICE + 4);
		CHECK_EQ(out(0, 0, RUN_OUT_WIDTH), 4);
		CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 0);
		/* Not answered: it runs again. */
		in(0, 0, RUN_IN_FLAGS, 0);
		in(0, 0, RUN_IN_X0, 0xbad);
		CHECK_EQ(enter(0, 0), NIE_EXIT_MMIO_READ);
		in(0, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
		in(0, 0, RUN_IN_X0, value);
		CHECK_EQ(expect_report(0, 0, REPORT_VALUE), value & 0xffffffff);
		in(0, 0, RUN_IN_FLAGS, 0);
		in(0, 0, RUN_IN_X0, 0x55667788);
		CHECK_EQ(enter(0, 0), NIE_EXIT_MMIO_WRITE);
		CHECK_EQ(out(0, 0, RUN_OUT_IPA), DEVICE + 8);
		CHECK_EQ(out(0, 0, RUN_OUT_WIDTH), 2);
		CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 0x7788);
		for (uint32_t i = 0; i < 7; i++)
			CHECK_EQ(out(0, 0, RUN_OUT_X0 + i), 0);
		in(0, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
	}
}
