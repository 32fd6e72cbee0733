/* SPDX-License-Identifier: Apache-2.0 */
/* Device accesses of a VM: decoded here, emulated by the host. */
#ifndef NIE_MMIO_H
#define NIE_MMIO_H

#include "state.h"

/* ISS of a data abort [ArmARM, D19.2.40]. */
enum iss {
	ISS_WNR = 1 << 6,
	ISS_S1PTW = 1 << 7,
	ISS_CM = 1 << 8,
	ISS_SF = 1 << 15,
	ISS_SSE = 1 << 21,
	ISS_ISV = 1 << 24,
};

/* The syndrome names one register and a width, so that the host can serve the access. */
bool mmio_decodable(uint64_t esr);
/* Bytes of the access: 1, 2, 4 or 8. */
uint64_t mmio_width(uint64_t esr);
/* Keep the low `width` bytes. */
uint64_t mmio_truncate(uint64_t value, uint64_t width);

/*
 * At entry, registers loaded: complete what the last exit asked for. An MMIO access that the host did not
 * answer runs again and asks again; a host call takes x0-x3 as the record has them.
 */
void mmio_answer(uint32_t cpu, uint32_t vm, uint32_t vcpu);

/* A general register of the running context; 31 is zero, and cannot be written. */
uint64_t gpr_read(uint32_t cpu, uint32_t r);
void gpr_write(uint32_t cpu, uint32_t r, uint64_t value);

#endif
