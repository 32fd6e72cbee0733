// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include "call.h"

static const char *const causes[] = {
	[NIE_OK] = "ok",
	[NIE_E_CALL] = "no such call",
	[NIE_E_VM] = "no such VM",
	[NIE_E_VM_STATE] = "wrong state of the VM",
	[NIE_E_VCPU] = "no such vCPU",
	[NIE_E_VCPU_STATE] = "wrong state of the vCPU",
	[NIE_E_BUSY] = "a vCPU is running",
	[NIE_E_ALIGN] = "an address is not aligned",
	[NIE_E_COUNT] = "a bad count",
	[NIE_E_LEVEL] = "a bad level",
	[NIE_E_PA] = "not RAM",
	[NIE_E_OWNER] = "a granule is not the host's",
	[NIE_E_IPA] = "the IPA is outside its space",
	[NIE_E_WINDOW] = "the IPA is outside the RAM window",
	[NIE_E_NO_TABLE] = "a table is missing",
	[NIE_E_MAPPED] = "the IPA is mapped",
	[NIE_E_SPENT] = "the IPA is spent",
	[NIE_E_UNMAPPED] = "the IPA holds no page",
	[NIE_E_BLOCK] = "the IPA is inside a block",
	[NIE_E_NOT_EMPTY] = "not empty",
	[NIE_E_LR] = "a bad list register",
	[NIE_E_NOT_CONTIGUOUS] = "the pages are not contiguous",
	[NIE_E_ALIAS] = "the same granule twice",
	[NIE_E_NOT_SPENT] = "the IPA is not spent",
};

u64 nie_hvc(struct nie_regs *r)
{
	struct arm_smccc_1_2_regs args = { .a0 = r->x[0],
					   .a1 = r->x[1],
					   .a2 = r->x[2],
					   .a3 = r->x[3],
					   .a4 = r->x[4],
					   .a5 = r->x[5],
					   .a6 = r->x[6] };
	struct arm_smccc_1_2_regs res;

	arm_smccc_1_2_hvc(&args, &res);
	*r = (struct nie_regs){ { res.a0, res.a1, res.a2, res.a3, res.a4, res.a5, res.a6 } };
	return r->x[0];
}
EXPORT_SYMBOL_GPL(nie_hvc); /* attack/ */

const char *nie_cause(u64 status)
{
	if (status < ARRAY_SIZE(causes) && causes[status])
		return causes[status];
	return "unknown status";
}

int nie_checked(const char *name, struct nie_regs *r)
{
	struct nie_regs asked = *r;
	u64 status = nie_hvc(r);

	if (status == NIE_OK)
		return 0;
	pr_warn("nie: %s(%#llx, %#llx, %#llx, %#llx) refused: %s (%lld)\n", name, asked.x[1],
		asked.x[2], asked.x[3], asked.x[4], nie_cause(status), status);
	return -EIO;
}
