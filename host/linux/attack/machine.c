// SPDX-License-Identifier: GPL-2.0-only
/* Attacks through the firmware and the interrupt controller. */
#include <linux/arm-smccc.h>
#include <linux/cpumask.h>
#include <linux/io.h>
#include <linux/of_address.h>
#include <linux/psci.h>
#include <uapi/linux/psci.h>
#include "attack.h"

enum {
	GICR_CTLR = 0x0000,
	GICR_PROPBASER = 0x0070,
	GICR_PENDBASER = 0x0078,
	CTLR_ENABLE_LPIS = 1,
};

static s64 smc(u64 function, u64 x1, u64 x2, u64 x3)
{
	struct arm_smccc_res res;

	arm_smccc_smc(function, x1, x2, x3, 0, 0, 0, 0, &res);
	return (s32)res.a0;
}

/* At EL2 it would run the host's code: start it at the victim's page. */
struct result attack_start_running_cpu(const struct target *t)
{
	s64 got = smc(PSCI_0_2_FN64_CPU_ON, 0, t->page, 0);

	return (struct result){ PSCI_RET_ALREADY_ON, got };
}

struct result attack_start_wild_cpu(const struct target *t)
{
	s64 got = smc(PSCI_0_2_FN64_CPU_ON, 0x123456789abcULL, t->page, ~0ULL);

	return (struct result){ PSCI_RET_INVALID_PARAMS, got };
}

/* Firmware that restarts the machine would leave the VMs' memory to the next system. */
struct result attack_reset_machine(const struct target *t)
{
	s64 got = smc(PSCI_0_2_FN_SYSTEM_RESET, 0, 0, 0);

	return (struct result){ PSCI_RET_DENIED, got };
}

/*
 * The redistributor masters the bus: given a table's address it reads and writes there. Writes the victim's page
 * to the register at `offset` and enables LPIs; returns what of either is to be seen then.
 */
static s64 point_table(u32 offset, phys_addr_t page)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, "arm,gic-v3");
	void __iomem *rd = node ? of_iomap(node, 1) : NULL;
	u64 before, after;
	u32 control;

	of_node_put(node);
	if (!rd)
		return -ENODEV;
	before = readq(rd + offset);
	writeq(page, rd + offset);
	control = readl(rd + GICR_CTLR);
	writel(control | CTLR_ENABLE_LPIS, rd + GICR_CTLR);
	after = readq(rd + offset);
	control = readl(rd + GICR_CTLR);
	iounmap(rd);
	return (before != after) + (control & CTLR_ENABLE_LPIS);
}

struct result attack_pending_table(const struct target *t)
{
	return (struct result){ 0, point_table(GICR_PENDBASER, t->page) };
}

struct result attack_property_table(const struct target *t)
{
	return (struct result){ 0, point_table(GICR_PROPBASER, t->page) };
}
