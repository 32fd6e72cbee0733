/* SPDX-License-Identifier: Apache-2.0 */
/* What runs in the VMs of the experiment. IPAs and the start are those of ../qemu/guest.h. */
#ifndef TEST_ISOLATION_GUESTS_H
#define TEST_ISOLATION_GUESTS_H

#include "../qemu/guest.h"

#pragma GCC visibility push(hidden)

#define SCRATCH (WINDOW + 34 * 4096) /* code that a VM writes for itself; the host never takes it */
#define EXTRA   (WINDOW + 64 * 4096) /* only zero pages ever come here, and nobody writes them */
#define BLOCK   (WINDOW + (2 << 20))
enum { SECRET_PAGES = 3, EXTRA_PAGES = 8, LIST_MAX = 511 };

/* Encodings of readable registers: op0 - 2, op1, CRn, CRm, op2 in 15 bits. */
struct list {
	uint32_t count, number[LIST_MAX];
};
extern struct list vm_list;
#define NUMBER(op0, op1, crn, crm, op2) \
	((((op0) - 2) << 14) | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
enum {
	MRS_X9 = 0xd5300009,
	MSR_X9 = 0xd5100009,
	STR_X9_X10 = (int)0xf8008549,
	RET = (int)0xd65f03c0
};

/* x1 of their calls to the host; x2 goes with it. */
enum code {
	CODE_KEEPER = 0x6b00, /* x2: how much of its own state was not as it must be, in all */
	CODE_SECRET = 0x6b01, /* x2: the secret, told on purpose */
	CODE_WATCHER = 0x7700,
	CODE_LIST = 0x7701, /* x2: number of a readable register; ~0 at the end */
};

/* x0 of the answer; x1 and x2 go with it. */
enum keeper_command {
	KEEP_STORE, /* x1 bits 1..0: log2 of the width; bits 11..3 of DEVICE; x2: the bytes stored */
	KEEP_LOAD, /* the same */
	KEEP_TOUCH, /* x1: page of the window; the offset in it is secret */
	KEEP_WAIT, /* WFI */
	KEEP_SPIN, /* x1 rounds */
	KEEP_SGI, /* ICC_SGI1R_EL1 = x1 */
	KEEP_TIMER, /* CNTV_CVAL_EL0 = x1, CNTV_CTL_EL0 = x2 */
	KEEP_VERIFY, /* its memory */
	KEEP_WRITE, /* the secret to the page at x1 (secret or BLOCK), x2 times */
	KEEP_ROTATE, /* a new secret */
	KEEP_SPREAD, /* the secret to every register that is not released */
	KEEP_REOPEN, /* page x1 */
	KEEP_FIRMWARE, /* SMC x1, x2 */
	KEEP_SMC, /* report by SMC */
	KEEP_COMMANDS,
	KEEP_TELL = 99, /* the control: report the secret */
};
enum watcher_command {
	WATCH_LOOK, /* all its registers to SHARED */
	WATCH_READ, /* the word at x1, to SHARED + 4088 */
	WATCH_WRITE,
	WATCH_WAIT,
	WATCH_COMMANDS,
};

/* Draws a secret and keeps it in all its memory and registers; its instructions and exits do not depend on it. */
guest_program guest_keeper;
/* Has no secret; shows the host all that it can see. */
guest_program guest_watcher;
/* Finds the readable registers. */
guest_program guest_lister;

#pragma GCC visibility pop
#endif
