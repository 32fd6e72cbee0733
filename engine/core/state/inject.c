/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions that the engine takes to EL1 on behalf of hardware [ArmARM, D1.3.6]. */
#include "../prim.h"
#include "../trap.h"
#include "../world.h"

enum {
	SPSR_FROM_EL0 = 0xf,
	SPSR_AARCH32 = 1 << 4,
	SPSR_KEPT = 0xfULL << 28 | 1 << 24 | 1 << 22, /* NZCV, DIT, PAN */
	SPSR_PAN = 1 << 22,
	SPSR_SSBS = 1 << 12,
	SPSR_BTYPE_SS = 3 << 10 | 1 << 21,
};

void skip_instruction(void)
{
	uint64_t pc = sysreg_read(REG_ELR_EL2);
	uint64_t pstate = sysreg_read(REG_SPSR_EL2);

	sysreg_write(REG_ELR_EL2, pc + 4);
	sysreg_write(REG_SPSR_EL2, pstate & ~(uint64_t)SPSR_BTYPE_SS);
}

static uint64_t vector_offset(uint64_t pstate)
{
	if ((pstate & SPSR_AARCH32) != 0)
		return 0x600;
	if ((pstate & SPSR_FROM_EL0) == 0)
		return 0x400;
	return (pstate & 1) != 0 ? 0x200 : 0;
}

static uint64_t handler_pstate(uint64_t pstate, uint64_t sctlr)
{
	uint64_t next = (pstate & SPSR_KEPT) | PSTATE_EL1H_MASKED;

	if ((sctlr >> 23 & 1) == 0) /* SPAN */
		next = next | SPSR_PAN;
	if ((sctlr >> 44 & 1) != 0) /* DSSBS */
		next = next | SPSR_SSBS;
	return next;
}

void inject(uint64_t esr, uint64_t far)
{
	uint64_t pc = sysreg_read(REG_ELR_EL2);
	uint64_t pstate = sysreg_read(REG_SPSR_EL2);
	uint64_t sctlr = sysreg_read(REG_SCTLR_EL1);
	uint64_t vectors = sysreg_read(REG_VBAR_EL1);

	sysreg_write(REG_ESR_EL1, esr);
	sysreg_write(REG_FAR_EL1, far);
	sysreg_write(REG_ELR_EL1, pc);
	sysreg_write(REG_SPSR_EL1, pstate);
	sysreg_write(REG_ELR_EL2, vectors + vector_offset(pstate));
	sysreg_write(REG_SPSR_EL2, handler_pstate(pstate, sctlr));
}

void inject_undefined(void)
{
	uint64_t far = sysreg_read(REG_FAR_EL1);

	/* EC 0, IL 1; FAR_EL1 is not changed by an undefined instruction. */
	inject(1 << 25, far);
}

void inject_abort(uint64_t esr, uint64_t fsc)
{
	uint64_t pstate = sysreg_read(REG_SPSR_EL2);
	uint64_t far = sysreg_read(REG_FAR_EL2);
	uint64_t class = esr >> 26 & 0x3e; /* of a lower level */

	/* From EL1 itself the class is the next one, "without a change in exception level". */
	if ((pstate & 0xf) != 0)
		class = class + 1;
	inject(class << 26 | (esr & ESR_IL) | (esr & 0x140) | fsc, far);
}
