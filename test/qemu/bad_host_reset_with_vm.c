/* SPDX-License-Identifier: Apache-2.0 */
/* Power off or reset while a VM exists: its memory would be there for whatever boots next. */
#include "vm.h"

enum {
	SYSTEM_OFF = 0x84000008,
	SYSTEM_RESET = 0x84000009,
	SYSTEM_RESET2 = 0x84000012,
	DENIED = -3
};

TEST(bad_host_reset_with_vm)
{
	victim(0);
	CHECK_EQ(smc(SYSTEM_RESET, 0, 0, 0), DENIED);
	CHECK_EQ(smc(SYSTEM_OFF, 0, 0, 0), DENIED);
	CHECK_EQ(smc(SYSTEM_RESET2, 0, 0, 0), -1);
	CHECK_EQ(smc(SYSTEM_RESET2 | 1 << 30, 0, 0, 0), -1);
	victim_intact(0);
	CHECK_EQ(CALL(VM_STOP, 0), NIE_OK);
	CHECK_EQ(smc(SYSTEM_RESET, 0, 0, 0), DENIED);
	CHECK_EQ(smc(SYSTEM_OFF, 0, 0, 0), DENIED);
	check_forbidden(vm[0].data);
}
