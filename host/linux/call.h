/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's calls to the engine: HVC #0 by Arm's SMC Calling Convention; see abi/nie.h. */
#ifndef NIE_CALL_H
#define NIE_CALL_H

#include <linux/arm-smccc.h>
#include "abi/nie.h"

/* Registers of a call: x0 is the function, x1..x6 its arguments, and x0..x6 what comes back. */
struct nie_regs {
	u64 x[7];
};

/* One call with up to six arguments. Returns its status, enum nie_status. */
u64 nie_hvc(struct nie_regs *r);
/* The same in one expression. */
#define nie_call(fn, ...) nie_hvc(&(struct nie_regs){ .x = { (fn), ##__VA_ARGS__ } })
/*
 * As nie_call, for calls that must not fail: a refusal is logged, with `fn` and its cause. Returns 0, or
 * -EIO when refused.
 */
#define nie_must(fn, ...) nie_checked(#fn, &(struct nie_regs){ .x = { (fn), ##__VA_ARGS__ } })
int nie_checked(const char *name, struct nie_regs *r);
/* The cause of a status in words. */
const char *nie_cause(u64 status);

#endif
