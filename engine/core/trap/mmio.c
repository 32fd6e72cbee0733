/* SPDX-License-Identifier: Apache-2.0 */
#include "../mmio.h"
#include "../prim.h"
#include "../world.h"

uint64_t gpr_read(uint32_t cpu, uint32_t r)
{
	return r < 31 ? cpus[cpu].x[r] : 0;
}

void gpr_write(uint32_t cpu, uint32_t r, uint64_t value)
{
	if (r < 31)
		cpus[cpu].x[r] = value;
}

bool mmio_decodable(uint64_t esr)
{
	return (esr & ISS_ISV) != 0 && (esr & ISS_S1PTW) == 0 && (esr & ISS_CM) == 0;
}

uint64_t mmio_width(uint64_t esr)
{
	return 1ULL << (esr >> 22 & 3);
}

uint64_t mmio_truncate(uint64_t value, uint64_t width)
{
	return width == 8 ? value : value & ((1ULL << (8 * width)) - 1);
}

/* What a load leaves in its register: sign- or zero-extended, to 32 or 64 bits. */
static uint64_t extend(uint64_t value, uint32_t syndrome)
{
	uint64_t width = mmio_width(syndrome);
	uint64_t result = mmio_truncate(value, width);
	uint64_t sign = 1ULL << (8 * width - 1);

	if ((syndrome & ISS_SSE) != 0)
		result = (result ^ sign) - sign;
	return (syndrome & ISS_SF) != 0 ? result : result & 0xffffffff;
}

void mmio_answer(uint32_t cpu, uint32_t vm, uint32_t vcpu)
{
	struct vcpu *v = &vcpus[vm * NIE_MAX_VCPUS + vcpu];
	uint32_t pending = v->pending;
	uint32_t syndrome = v->syndrome;

	v->pending = PENDING_NONE;
	v->syndrome = 0;
	if (pending == PENDING_CALL) {
		for (uint32_t i = 0; i < 4; i++)
			cpus[cpu].x[i] = cpus[cpu].in[RUN_IN_X0 + i];
		return;
	}
	if (pending == PENDING_NONE || (cpus[cpu].in[RUN_IN_FLAGS] & NIE_IN_ANSWER) == 0)
		return;
	if (pending == PENDING_READ)
		gpr_write(cpu, syndrome >> 16 & 31, extend(cpus[cpu].in[RUN_IN_X0], syndrome));
	skip_instruction();
}
