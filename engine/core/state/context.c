/* SPDX-License-Identifier: Apache-2.0 */
#include "../context.h"
#include "../prim.h"
#include "../world.h"

void context_reset(uint32_t vm, uint32_t vcpu, uint64_t entry, uint64_t argument)
{
	struct vcpu *v = &vcpus[vm * NIE_MAX_VCPUS + vcpu];
	struct pfn context = { v->context };

	v->pending = PENDING_NONE;
	v->syndrome = 0;
	page_zero(context);
	page_write(context, CTX_X0, argument);
	page_write(context, CTX_SYSREG + REG_SCTLR_EL1, SCTLR_EL1_RESET);
	page_write(context, CTX_SYSREG + REG_ELR_EL2, entry);
	page_write(context, CTX_SYSREG + REG_SPSR_EL2, PSTATE_EL1H_MASKED);
	/* No store is on its way while the lock is free: whatever the page becomes, no walker meets an old one. */
	dsb_ish();
}
