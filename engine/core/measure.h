/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measurement of a VM: SHA-256 of its build log, a byte stream of records. Each is one block of eight
 * little-endian words { kind, a, b, c, 0, 0, 0, 0 }; a page record is followed by the page's 4096 bytes.
 */
#ifndef NIE_MEASURE_H
#define NIE_MEASURE_H

#include "state.h"

enum measure_kind {
	MEASURE_VM = 1,     /* a RAM base (bytes), b RAM pages, c vCPUs */
	MEASURE_VCPU = 2,   /* a index, b entry, c x0 */
	MEASURE_PAGE = 3,   /* a IPA; the page follows */
	MEASURE_ZERO = 4,   /* a IPA, b count */
	MEASURE_SHARED = 5, /* a IPA, b count */
};

void measure_start(uint32_t vm);
void measure_record(uint32_t vm, uint64_t kind, uint64_t a, uint64_t b, uint64_t c);
/* Append a page that nobody but the engine can reach any more. */
void measure_page(uint32_t vm, struct pfn p);
/* SHA-256 padding: vms[vm].hash is the measurement from here on. */
void measure_finish(uint32_t vm);

/* FIPS 180-4, 6.2.2: one block, given in sha_schedule[0..15], into vms[vm].hash. */
void sha256_block(uint32_t vm);

/* The message schedule; scratch under the lock. */
extern uint32_t sha_schedule[64];

#endif
