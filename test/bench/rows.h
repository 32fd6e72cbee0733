/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that count.so tells apart, for C and assembly; tools/lib/bench_rows.py says what they mean. */
#ifndef NIE_BENCH_ROWS_H
#define NIE_BENCH_ROWS_H

/* A bare-metal host under the engine. */
#define ROW_HOST_NULL   0
#define ROW_VM_VERSION  1
#define ROW_VM_PSCI     2
#define ROW_VM_EXIT     3
#define ROW_PAGE_DEMAND 4
#define ROW_PAGE_REMOVE 5
#define ROW_RANGE_ADD   6
#define ROW_RANGE_TAKE  7
#define ROW_RUN         8 /* VCPU_RUN: entry and exit, from host to host */
#define ROW_PAGE_ADD    9
#define ROW_HOLE        10 /* and 11, 12: the invalid entry is of level 1, 2, 3 */

/* A bare-metal guest under Linux, on any hypervisor. */
#define ROW_GUEST_CALL   16
#define ROW_GUEST_GIC    17
#define ROW_GUEST_DEVICE 18
#define ROW_GUEST_SGI    19
#define ROW_GUEST_PAGE   20

/* Marked by a program of the host. */
#define ROW_LIFE    21 /* of a Linux VM */
#define ROW_RECLAIM 22 /* KVM takes back what any_guest.S touched */

#define SAMPLES 4096

#endif
