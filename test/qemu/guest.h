/* SPDX-License-Identifier: Apache-2.0 */
/* What runs in the VMs: one image of small programs, MMU off, a page of stack for each vCPU. */
#ifndef TEST_QEMU_GUEST_H
#define TEST_QEMU_GUEST_H

#include <stdint.h>

/* One program: no table of addresses, which somebody would have to relocate. */
#pragma GCC visibility push(hidden)

/* IPAs. The RAM window has 16 MiB; only the first 2 MiB have tables at first. */
#define WINDOW 0x40000000ULL
#define STACKS (WINDOW + 32 * 4096)
#define DATA   (WINDOW + 48 * 4096)
#define SHARED (1ULL << 38)
#define DEVICE 0x09000000ULL /* outside the window */
enum { WINDOW_PAGES = 4096, DATA_PAGES = 4 };

/* x1 of a host call; x2 goes with it. */
enum report {
	REPORT_READY = 1,
	REPORT_INTACT = 2, /* x2: 0, or what is not as it was */
	REPORT_VALUE = 3,
	REPORT_ABORT = 4, /* x2: ESR_EL1 */
	REPORT_DONE = 5,
};

typedef void guest_program(uint64_t argument);
/* Fill memory and registers from the argument, report READY, then check and report INTACT for ever. */
guest_program guest_victim;
/* Load the word at the IPA that the last report's answer (x0) gave; report VALUE or ABORT. */
guest_program guest_reader;
/* The same, but jump there. */
guest_program guest_jumper;
/* Write and check 4 pages at WINDOW + 2 MiB for ever, then count the round at SHARED; report only when they are wrong. */
guest_program guest_busy;
/* vCPU 0 first turns on 1 and 2. Each writes and checks pages of its own in the BUSY_BLOCKS 2 MiB after the first of the
 * window, and counts its rounds at SHARED + 8 * its number. */
guest_program guest_busy_all;
enum { BUSY_BLOCKS = 4 };
/* Turn vCPU 1 on with the same program, then report VALUE with the vCPU's number for ever. */
guest_program guest_two;
/* Load the device at DEVICE, report VALUE; store x0 of the answer there; ... */
guest_program guest_driver;
/* Reopen the IPA of the answer and report VALUE with the status. */
guest_program guest_reopener;
/* Firmware calls: x0 = function, x1..x3 from the answer; report VALUE with x0. */
guest_program guest_caller;
/* Enable interrupts, report READY, then VALUE with each interrupt's number. */
guest_program guest_interrupted;
/* Set the virtual timer, wait (argument 1: without WFI), report VALUE with the interrupt; for ever. */
guest_program guest_timer;

/* Read every system register that an instruction can name; report DONE with the number of each whose upper half is the
 * argument, at the end VALUE with how many can be read. */
guest_program guest_sweep;

/* Send the software interrupt of the answer (ICC_SGI1R_EL1), report DONE with it; for ever. */
guest_program guest_sgi;

extern const char guest_start[], guest_end[];
#define GUEST_BYTES ((uint64_t)guest_end - (uint64_t)guest_start)

#pragma GCC visibility pop
#endif
