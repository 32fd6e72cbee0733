/* SPDX-License-Identifier: GPL-2.0-only */
/* A VM of the attack's own: one vCPU, one page of code, made by calls to the engine without nie.ko. */
#ifndef NIE_ATTACK_LONE_H
#define NIE_ATTACK_LONE_H

#include <linux/mm.h>
#include "call.h"

enum {
	LONE_VM = NIE_MAX_VMS - 1, /* nie.ko takes the lowest free index */
	LONE_BASE = 0x40000000, /* IPA of its code */
	LONE_DATA = 0x40001000, /* IPA of its one page of data */
	LONE_HOLE = 0x40002000, /* IPA of a page that is never given */
};

enum lone_page {
	LONE_ROOT,
	LONE_LEVEL2,
	LONE_LEVEL3,
	LONE_CONTEXT,
	LONE_RUN,
	LONE_CODE,
	LONE_ZERO,
	LONE_PAGES
};

struct lone {
	struct page *page[LONE_PAGES];
	u64 *run;
};

/*
 * Create and activate it: it starts at LONE_BASE with x0 = `x0`, runs `words` instructions of `code`, then
 * makes a host call with what it has in x1. 0, or the first status that is not NIE_OK, or -errno.
 */
s64 lone_create(struct lone *l, const u32 *code, u32 words, u64 x0);
/* Run it up to an exit that is not a physical interrupt; its reason, or minus the status. */
s64 lone_run(struct lone *l);
/* Destroy it; pages that the engine keeps are lost. */
void lone_destroy(struct lone *l);

#endif
