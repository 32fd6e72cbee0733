/* SPDX-License-Identifier: Apache-2.0 */
/* Registers, lock, barriers, firmware, and the inputs that the core's state does not determine. */
#include "fake.h"
#include <string.h>

uint64_t fake_manifest[MAN_END];
uint32_t fake_cpu;
uint64_t fake_reg[NIE_MAX_CPUS][REG_COUNT];
uint64_t fake_fp[NIE_MAX_CPUS][66];
uint64_t fake_counter;
bool fake_locked;
struct input fake_inputs[INPUTS];
uint32_t fake_inputs_used;
uint64_t firmware_last[4];
uint64_t firmware_answer;
uint64_t firmware_on_answer;
uint64_t fake_gicr[NIE_MAX_CPUS][32];

void memory_reset(void);

static void good_manifest(void)
{
	const uint64_t words[MAN_END] = {
		[MAN_MAGIC] = MAN_MAGIC_VALUE,
		[MAN_ENGINE_BASE] = ENGINE_BASE,
		[MAN_ENGINE_PAGES] = 512,
		[MAN_RAM_BASE] = RAM_BASE,
		[MAN_RAM_PAGES] = RAM_PAGES,
		[MAN_TABLES] = TABLES,
		[MAN_CPUS] = FAKE_CPUS,
		[MAN_HOST_ENTRY] = (uint64_t)KEEP_BASE << 12,
		[MAN_HOST_DTB] = ((uint64_t)KEEP_BASE << 12) + 0x8000,
		[MAN_GICR] = GICR,
		[MAN_UART] = UART,
		[MAN_DEVICES] = 3,
		[MAN_KEEP_BASE] = KEEP_BASE,
		[MAN_KEEP_PAGES] = KEEP_PAGES,
		[MAN_DEV_BASE] = GICD,
		[MAN_DEV_PAGES] = 0x1200,
		[MAN_DEVICE0] = GICD,
		[MAN_DEVICE0 + 1] = 16,
		[MAN_DEVICE0 + 2] = GICR,
		[MAN_DEVICE0 + 3] = 32 * FAKE_CPUS,
		[MAN_DEVICE0 + 4] = UART,
		[MAN_DEVICE0 + 5] = 1,
	};

	memcpy(fake_manifest, words, sizeof(words));
}

void fake_reset(void)
{
	memory_reset();
	tlb_reset();
	good_manifest();
	memset(vms, 0, sizeof(vms));
	memset(vcpus, 0, sizeof(vcpus));
	memset(lasts, 0, sizeof(lasts));
	memset(cpus, 0, sizeof(cpus));
	memset(&config, 0, sizeof(config));
	memset(granules, 0xff, RAM_PAGES * sizeof(struct granule));
	memset(fake_reg, 0xa5, sizeof(fake_reg));
	memset(fake_fp, 0xa5, sizeof(fake_fp));
	memset(fake_gicr, 0xff, sizeof(fake_gicr));
	memset(&fake_counts, 0, sizeof(fake_counts));
	fake_cpu = fake_violations = fake_inputs_used = 0;
	fake_locked = false;
	fake_counter = 1000;
	firmware_answer = firmware_on_answer = 0;
	for (uint32_t i = 0; i < NIE_MAX_CPUS; i++) {
		fake_reg[i][REG_MPIDR_EL1] = 1ULL << 31 | i;
		fake_reg[i][REG_MIDR_EL1] = 0x410fd0c1;
		for (uint32_t r = REG_ID_AA64PFR0_EL1; r < REG_COUNT; r++)
			fake_reg[i][r] = 0xffffffffffffffff;
	}
}

static uint64_t input(enum input_kind kind, uint64_t where, uint64_t value)
{
	if (fake_inputs_used < INPUTS)
		fake_inputs[fake_inputs_used++] = (struct input){ kind, where, value };
	return value;
}

uint64_t manifest_read(uint32_t i)
{
	return input(INPUT_MANIFEST, i, fake_manifest[i]);
}

uint64_t counter_read(void)
{
	fake_counter += 10;
	return input(INPUT_COUNTER, 0, fake_counter);
}

uint64_t gicr_read(uint32_t cpu, uint32_t offset, uint32_t width)
{
	uint64_t word;

	if (cpu >= FAKE_CPUS || offset >= 256 || (width != 4 && width != 8) ||
	    offset % width != 0) {
		violation("gicr_read(%u, %#x, %u)", cpu, offset, width);
		return 0;
	}
	word = fake_gicr[cpu][offset / 8] >> 8 * (offset % 8);
	return input(INPUT_GICR, cpu << 16 | offset, width == 4 ? (uint32_t)word : word);
}

void gicr_write(uint32_t cpu, uint32_t offset, uint32_t value)
{
	fake_counts.changes++;
	if (cpu >= FAKE_CPUS || offset % 4 != 0 || offset >= 256)
		violation("gicr_write(%u, %#x)", cpu, offset);
	else
		memcpy((char *)fake_gicr[cpu] + offset, &value, 4);
}

void engine_lock(void)
{
	if (fake_locked)
		violation("the lock is taken twice");
	fake_locked = true;
}

void engine_unlock(void)
{
	if (!fake_locked)
		violation("the lock is not held");
	fake_locked = false;
}

void dsb_ish(void)
{
	tlb_dsb();
}

void isb(void)
{
}

void ic_invalidate(void)
{
	fake_counts.ic++;
	tlb_ic();
}

uint64_t sysreg_read(uint32_t reg)
{
	if (reg >= REG_COUNT) {
		violation("sysreg_read(%u)", reg);
		return 0;
	}
	return fake_reg[fake_cpu][reg];
}

void sysreg_write(uint32_t reg, uint64_t value)
{
	fake_counts.changes++;
	if ((reg >= REG_MPIDR_EL1 && reg < REG_VDISR_EL2) || reg >= REG_COUNT)
		violation("sysreg_write(%u)", reg);
	else
		fake_reg[fake_cpu][reg] = value;
}

void fp_save(struct pfn page, uint32_t i)
{
	for (uint32_t k = 0; k < 66; k++)
		page_write(page, i + k, fake_fp[fake_cpu][k]);
}

void fp_load(struct pfn page, uint32_t i)
{
	for (uint32_t k = 0; k < 66; k++)
		fake_fp[fake_cpu][k] = page_read(page, i + k);
}

void fp_zero(void)
{
	memset(fake_fp[fake_cpu], 0, sizeof(fake_fp[fake_cpu]));
}

uint64_t firmware_call(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	fake_counts.firmware++;
	firmware_last[0] = function;
	firmware_last[1] = x1;
	firmware_last[2] = x2;
	firmware_last[3] = x3;
	return input(INPUT_FIRMWARE, function, firmware_answer);
}

uint64_t firmware_cpu_on(uint32_t cpu)
{
	fake_counts.firmware++;
	firmware_last[0] = cpu;
	return input(INPUT_FIRMWARE, cpu, firmware_on_answer);
}
