/* SPDX-License-Identifier: Apache-2.0 */
/* After an exit the host looks for the victim's registers wherever it can. */
#include "vm.h"

#define READ(name)                                            \
	({                                                    \
		uint64_t v_;                                  \
		__asm__ volatile("mrs %0, " name : "=r"(v_)); \
		v_;                                           \
	})

/* The victim's pattern is 1 << 40 | 0x5ec4e700 and a little. */
static bool is_secret(uint64_t value)
{
	return value >> 16 == (1ULL << 24 | 0x5ec4);
}

TEST(bad_host_registers_of_vm)
{
	victim(0);
	for (uint32_t n = 0; n < 10; n++) {
		victim_intact(0);
		CHECK(!is_secret(READ("tpidr_el0")));
		CHECK(!is_secret(READ("tpidrro_el0")));
		CHECK(!is_secret(READ("far_el1")));
		CHECK(!is_secret(READ("elr_el1")));
		CHECK(!is_secret(READ("sp_el0")));
		CHECK(!is_secret(READ("ttbr1_el1")));
		CHECK(!is_secret(READ("contextidr_el1")));
		CHECK_EQ(host_vectors(1), 0);
		/* Words of the record beyond what the exit tells. */
		for (uint32_t w = 0; w < 512; w++)
			CHECK(!is_secret(out(0, 0, w)));
	}
}
