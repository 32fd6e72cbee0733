/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware calls of a VM: versions, what there is, what there is not; SYSTEM_OFF stops it. */
#include "vm.h"

static uint64_t ask(uint64_t function)
{
	in(0, 0, RUN_IN_X0, function);
	return expect_report(0, 0, REPORT_VALUE);
}

TEST(good_vm_psci)
{
	vm_start(0, 2, guest_caller, 1);
	expect_report(0, 0, REPORT_READY);
	CHECK_EQ(ask(0x84000000), 0x10001);
	CHECK_EQ(ask(0x80000000), 0x10001);
	CHECK_EQ(ask(NIE_VM_VERSION), NIE_ABI_VERSION);
	CHECK_EQ(ask(0xc4000004), 1); /* vCPU 1 is off */
	CHECK_EQ(ask(0x84000012), -1);
	CHECK_EQ(ask(NIE_VM_CREATE), -1);
	in(0, 0, RUN_IN_X0, 0xc4000003);
	CHECK_EQ(enter(0, 0), NIE_EXIT_CPU_ON);
	CHECK_EQ(out(0, 0, RUN_OUT_VALUE), 1);
	CHECK_EQ(expect_report(0, 0, REPORT_VALUE), 0);
	CHECK_EQ(ask(0xc4000004), 0);
	in(0, 0, RUN_IN_X0, 0x84000008);
	CHECK_EQ(enter(0, 0), NIE_EXIT_SYSTEM_OFF);
	CHECK_EQ(CALL_X1(VM_INFO, 0), NIE_VM_STOPPED);
	CHECK_EQ(CALL(VCPU_RUN, 0, 0), NIE_E_VM_STATE);
}
