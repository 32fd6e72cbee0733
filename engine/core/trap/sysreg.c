/* SPDX-License-Identifier: Apache-2.0 */
/* System registers that trap from the host and from vCPUs; what is not named here is undefined. */
#include "../mmio.h"
#include "../prim.h"
#include "../trap.h"
#include "../world.h"

/* op0, op1, CRn, CRm, op2 as they lie in the syndrome of an MSR or MRS [ArmARM, D19.2.40]. */
/* clang-format off */
enum encoding {
	ISS_READ = 1,
	ENC_MASK = 0x3ffc1e, /* all but the general register and the direction */
	ENC_ID_MASK = 3 << 20 | 7 << 14 | 15 << 10,
	ENC_ID = 3 << 20,                                            /* S3_0_C0_Cm_op2 */
	ENC_DEBUG_MASK = 3 << 20,
	ENC_DEBUG = 2 << 20,                                         /* S2_*: debug and trace */
	ENC_MDSCR = 2 << 20 | 2 << 17 | 2 << 1,                      /* S2_0_C0_C2_2 */
	ENC_ACTLR = 3 << 20 | 1 << 17 | 1 << 10,                     /* S3_0_C1_C0_1 */
	ENC_SGI1R = 3 << 20 | 5 << 17 | 12 << 10 | 11 << 1,          /* S3_0_C12_C11_5 */
	ENC_ASGI1R = 3 << 20 | 6 << 17 | 12 << 10 | 11 << 1,
	ENC_SGI0R = 3 << 20 | 7 << 17 | 12 << 10 | 11 << 1,
	ENC_ICC_SRE = 3 << 20 | 5 << 17 | 12 << 10 | 12 << 1,        /* S3_0_C12_C12_5 */
	ENC_CNTP_MASK = 3 << 20 | 7 << 14 | 15 << 10 | 15 << 1,
	ENC_CNTP = 3 << 20 | 3 << 14 | 14 << 10 | 2 << 1,            /* S3_3_C14_C2_* */
	ENC_DC_SW_MASK = 3 << 20 | 7 << 17 | 7 << 14 | 15 << 10,
	ENC_DC_SW = 1 << 20 | 2 << 17 | 7 << 10,                     /* DC ISW, CSW, CISW: S1_0_C7_*_2 */
	MDSCR_SS = 1,
};
/* clang-format on */

static bool is_guest(uint32_t cpu)
{
	return cpus[cpu].vm != CPU_HOST;
}

/* Registers that read as a fixed value and ignore writes. */
static bool reads_constant(uint32_t cpu, uint64_t encoding)
{
	switch (encoding) {
	case ENC_ACTLR:
	case ENC_ICC_SRE:
		return true;
	case ENC_SGI0R:
	case ENC_ASGI1R:
		return is_guest(cpu);
	default:
		break;
	}
	if ((encoding & ENC_ID_MASK) == ENC_ID)
		return true;
	if ((encoding & ENC_DC_SW_MASK) == ENC_DC_SW)
		return true;
	if (is_guest(cpu) && (encoding & ENC_CNTP_MASK) == ENC_CNTP)
		return true;
	return (encoding & ENC_DEBUG_MASK) == ENC_DEBUG;
}

static uint64_t constant_of(uint64_t encoding)
{
	if (encoding == ENC_ICC_SRE)
		return ICC_SRE_BOTH;
	if ((encoding & ENC_ID_MASK) == ENC_ID)
		return id_register((uint32_t)(encoding >> 1) & 15, (uint32_t)(encoding >> 17) & 7);
	return 0;
}

/* Software single step is all of debug that a context has. */
static void mdscr_access(uint32_t cpu, bool read, uint32_t r)
{
	if (read) {
		uint64_t value = sysreg_read(REG_MDSCR_EL1);

		gpr_write(cpu, r, value);
	} else {
		sysreg_write(REG_MDSCR_EL1, gpr_read(cpu, r) & MDSCR_SS);
	}
}

void sysreg_trap(uint32_t cpu, uint64_t iss)
{
	uint64_t encoding = iss & ENC_MASK;
	bool read = (iss & ISS_READ) != 0;
	uint32_t r = (uint32_t)(iss >> 5) & 31;

	if (encoding == ENC_SGI1R && !read && is_guest(cpu)) {
		skip_instruction();
		exit_vcpu(cpu, (struct exit){ NIE_EXIT_SGI, 0, 0, gpr_read(cpu, r) });
	} else if (encoding == ENC_MDSCR) {
		mdscr_access(cpu, read, r);
		skip_instruction();
	} else if (reads_constant(cpu, encoding)) {
		if (read)
			gpr_write(cpu, r, constant_of(encoding));
		skip_instruction();
	} else {
		inject_undefined();
	}
}
