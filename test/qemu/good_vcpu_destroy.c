/* SPDX-License-Identifier: Apache-2.0 */
/* Context and record come back: the context zeroed, the record with what the engine last wrote. */
#include "vm.h"

TEST(good_vcpu_destroy)
{
	victim(0);
	CHECK_EQ(CALL(VM_STOP, 0), NIE_OK);
	struct answer a = hvc(NIE_VCPU_DESTROY, 0, 0, 0, 0, 0, 0);

	CHECK_EQ(a.x[0], NIE_OK);
	CHECK_EQ(a.x[1], vm[0].context[0]);
	CHECK_EQ(a.x[2], vm[0].run[0]);
	CHECK(is_zero(vm[0].context[0]));
	CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_HOST_CALL);
	CHECK_EQ(try_store(vm[0].context[0], 1), 0);
	CHECK_EQ(CALL(VCPU_DESTROY, 0, 0), NIE_E_VCPU_STATE);
}
