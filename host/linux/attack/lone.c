// SPDX-License-Identifier: GPL-2.0-only
#include <asm/neon.h>
#include "lone.h"

static phys_addr_t pa(const struct lone *l, enum lone_page i)
{
	return page_to_phys(l->page[i]);
}

static void free_pages_of(struct lone *l)
{
	u32 i;

	for (i = 0; i < LONE_PAGES; i++) {
		if (l->page[i])
			__free_page(l->page[i]);
		l->page[i] = NULL;
	}
}

static u64 build(struct lone *l, u64 x0)
{
	const struct nie_regs calls[] = {
		{ { NIE_VM_CREATE, LONE_VM, pa(l, LONE_ROOT), LONE_BASE, 3, 1 } },
		{ { NIE_TABLE_ADD, LONE_VM, LONE_BASE, 2, pa(l, LONE_LEVEL2) } },
		{ { NIE_TABLE_ADD, LONE_VM, LONE_BASE, 3, pa(l, LONE_LEVEL3) } },
		{ { NIE_PAGE_ADD, LONE_VM, LONE_BASE, pa(l, LONE_CODE), 1 } },
		{ { NIE_PAGE_ADD_ZERO, LONE_VM, LONE_DATA, pa(l, LONE_ZERO), 1, 3 } },
		{ { NIE_VCPU_CREATE, LONE_VM, 0, pa(l, LONE_CONTEXT), pa(l, LONE_RUN), LONE_BASE,
		    x0 } },
		{ { NIE_VM_ACTIVATE, LONE_VM } },
	};
	struct nie_regs r;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		r = calls[i];
		if (nie_hvc(&r) != NIE_OK)
			return r.x[0];
	}
	return NIE_OK;
}

s64 lone_create(struct lone *l, const u32 *code, u32 words, u64 x0)
{
	u32 i, *text;
	s64 status;

	memset(l, 0, sizeof(*l));
	for (i = 0; i < LONE_PAGES; i++) {
		l->page[i] = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!l->page[i]) {
			free_pages_of(l);
			return -ENOMEM;
		}
	}
	l->run = page_address(l->page[LONE_RUN]);
	text = page_address(l->page[LONE_CODE]);
	memcpy(text, code, words * sizeof(*code));
	text[words] = 0xd2800000 | (NIE_VM_HOST_CALL & 0xffff) << 5; /* mov x0, #low half */
	text[words + 1] = 0xf2a00000 | (NIE_VM_HOST_CALL >> 16)
					       << 5; /* movk x0, #high half, lsl #16 */
	text[words + 2] = 0xd4000002;                /* hvc #0 */
	status = build(l, x0);
	if (status != NIE_OK)
		lone_destroy(l);
	return status;
}

s64 lone_run(struct lone *l)
{
	u64 status;
	u32 i;

	for (i = 0; i < 10000; i++) {
		kernel_neon_begin();
		local_irq_disable();
		status = nie_call(NIE_VCPU_RUN, LONE_VM, 0);
		local_irq_enable();
		kernel_neon_end();
		if (status != NIE_OK)
			return -(s64)status;
		if (READ_ONCE(l->run[RUN_OUT_REASON]) != NIE_EXIT_IRQ)
			return READ_ONCE(l->run[RUN_OUT_REASON]);
	}
	return -ETIMEDOUT;
}

/* Each refusal here only says that the page, table or VM had not come into being. */
void lone_destroy(struct lone *l)
{
	nie_call(NIE_VM_STOP, LONE_VM);
	nie_call(NIE_VCPU_DESTROY, LONE_VM, 0);
	nie_call(NIE_PAGE_REMOVE, LONE_VM, LONE_BASE, 1);
	nie_call(NIE_PAGE_REMOVE, LONE_VM, LONE_DATA, 1);
	nie_call(NIE_TABLE_REMOVE, LONE_VM, LONE_BASE, 3);
	nie_call(NIE_TABLE_REMOVE, LONE_VM, LONE_BASE, 2);
	if (nie_call(NIE_VM_DESTROY, LONE_VM) == NIE_OK)
		free_pages_of(l);
}
