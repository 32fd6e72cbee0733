/* SPDX-License-Identifier: Apache-2.0 */
/* Memory, registers and devices: what a primitive does, and no judgement of its use; test/unit has that. */
#include "oracle.h"
#include <stdlib.h>
#include <string.h>

struct granule granules[GRANULES_MAX];
uint64_t memory[RAM_PAGES][512];
uint64_t registers[NIE_MAX_CPUS][REG_COUNT];
uint64_t vectors[NIE_MAX_CPUS][66];
uint64_t manifest[MAN_END];
uint32_t running_cpu;
uint64_t outside;
static bool locked;

static void stop(const char *what, uint64_t a, uint64_t b)
{
	log_flush();
	fprintf(stderr, "test/oracle: the core %s: %#lx, %#lx\n", what, a, b);
	exit(3);
}

static void good_manifest(void)
{
	const uint64_t words[MAN_END] = {
		[MAN_MAGIC] = MAN_MAGIC_VALUE,
		[MAN_ENGINE_BASE] = ENGINE_BASE,
		[MAN_ENGINE_PAGES] = 512,
		[MAN_RAM_BASE] = RAM_BASE,
		[MAN_RAM_PAGES] = RAM_PAGES,
		[MAN_TABLES] = ENGINE_BASE + 256,
		[MAN_CPUS] = CPUS,
		[MAN_HOST_ENTRY] = (uint64_t)KEEP_BASE << 12,
		[MAN_HOST_DTB] = ((uint64_t)KEEP_BASE << 12) + 0x8000,
		[MAN_GICR] = GICR,
		[MAN_UART] = UART,
		[MAN_DEVICES] = 3,
		[MAN_KEEP_BASE] = KEEP_BASE,
		[MAN_KEEP_PAGES] = 16,
		[MAN_DEV_BASE] = GICD,
		[MAN_DEV_PAGES] = 0x1200,
		[MAN_DEVICE0] = GICD,
		[MAN_DEVICE0 + 1] = 16,
		[MAN_DEVICE0 + 2] = GICR,
		[MAN_DEVICE0 + 3] = 32 * CPUS,
		[MAN_DEVICE0 + 4] = UART,
		[MAN_DEVICE0 + 5] = 1,
	};

	memcpy(manifest, words, sizeof(words));
}

void manifest_bend(void)
{
	static const uint64_t ram[] = {
		0, 1, 512, 0x3fe00, RAM_BASE + 1, 1 << 28, (1 << 28) + 512, 1ULL << 63
	};
	static const uint64_t sizes[] = {
		0, 1, 511, RAM_PAGES + 1, GRANULES_MAX + 512, 1ULL << 63
	};
	uint32_t i = 1 + (uint32_t)below(MAN_END - 1);

	if (below(8) == 0)
		manifest[MAN_MAGIC] += below(2);
	if (i == MAN_RAM_BASE)
		manifest[i] = ram[below(8)];
	else if (i == MAN_RAM_PAGES)
		manifest[i] = sizes[below(6)];
	else if (below(2) == 0)
		manifest[i] += 512 * (below(8) - 4);
	else
		bend(&manifest[i]);
}

/* Registers hold anything; memory is as boot() left it when that is run. */
void machine_reset(uint64_t seed)
{
	rnd_seed(seed);
	memset(memory, 0, sizeof(memory));
	memset(granules, 0, RAM_PAGES * sizeof(struct granule));
	memset(vms, 0, sizeof(vms));
	memset(vcpus, 0, sizeof(vcpus));
	memset(lasts, 0, sizeof(lasts));
	memset(cpus, 0, sizeof(cpus));
	memset(&config, 0, sizeof(config));
	for (uint32_t c = 0; c < NIE_MAX_CPUS; c++) {
		for (uint32_t r = 0; r < REG_COUNT; r++)
			registers[c][r] = rnd();
		for (uint32_t i = 0; i < 66; i++)
			vectors[c][i] = rnd();
		registers[c][REG_MPIDR_EL1] = 1ULL << 31 | c;
	}
	good_manifest();
	running_cpu = 0;
	locked = false;
}

static uint64_t *word(const char *what, struct pfn page, uint32_t i)
{
	if (!is_ram(page.n) || i > 511)
		stop(what, page.n, i);
	return &memory[page.n - RAM_BASE][i];
}

uint64_t page_read(struct pfn page, uint32_t i)
{
	return *word("reads a word that is not RAM", page, i);
}

void page_write(struct pfn page, uint32_t i, uint64_t value)
{
	*word("writes a word that is not RAM", page, i) = value;
	log_primitive('w', page.n, i, value, 0);
}

void page_zero(struct pfn page)
{
	memset(word("zeroes a page that is not RAM", page, 0), 0, 4096);
	log_primitive('z', page.n, 0, 0, 0);
}

void page_clean(struct pfn page)
{
	word("cleans a page that is not RAM", page, 0);
}

static uint64_t input(uint64_t value)
{
	log_primitive('i', value, 0, 0, 0);
	return value;
}

uint64_t host_read(struct pfn page, uint32_t i)
{
	return input(*word("reads host memory that is not RAM", page, i));
}

void host_write(struct pfn page, uint32_t i, uint64_t value)
{
	*word("writes host memory that is not RAM", page, i) = value;
	log_primitive('e', 0, page.n, i, value);
}

uint64_t manifest_read(uint32_t i)
{
	return manifest[i];
}

uint64_t counter_read(void)
{
	return input(rnd());
}

uint64_t gicr_read(uint32_t cpu, uint32_t offset, uint32_t width)
{
	if (cpu >= NIE_MAX_CPUS || offset >= 256)
		stop("reads no redistributor", cpu, offset);
	return input(width == 4 ? (uint32_t)outside : outside);
}

void gicr_write(uint32_t cpu, uint32_t offset, uint32_t value)
{
	if (cpu >= NIE_MAX_CPUS || offset >= 256)
		stop("writes no redistributor", cpu, offset);
	log_primitive('e', 1, cpu, offset, value);
}

uint64_t firmware_call(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3)
{
	if (x3 != 0)
		stop("calls the firmware with x3", function, x3);
	log_primitive('e', 2, function, x1, x2);
	return input(outside % 4 == 0 ? outside : 0);
}

uint64_t firmware_cpu_on(uint32_t cpu)
{
	log_primitive('e', 3, cpu, 0, 0);
	return input(outside % 4 == 0 ? outside : 0);
}

void engine_lock(void)
{
	if (locked)
		stop("takes the lock twice", 0, 0);
	locked = true;
}

void engine_unlock(void)
{
	if (!locked)
		stop("gives a lock back that it does not hold", 0, 0);
	locked = false;
}

void dsb_ish(void)
{
}

void isb(void)
{
}

void tlbi_vmid(uint32_t vmid)
{
	if (vmid > NIE_MAX_VMS)
		stop("flushes no VMID", vmid, 0);
}

void tlbi_vmid_local(uint32_t vmid)
{
	tlbi_vmid(vmid);
}

void ic_invalidate(void)
{
}

uint64_t sysreg_read(uint32_t reg)
{
	if (reg >= REG_COUNT)
		stop("reads no register", reg, 0);
	return registers[running_cpu][reg];
}

void sysreg_write(uint32_t reg, uint64_t value)
{
	if (reg >= REG_COUNT || (reg >= REG_MPIDR_EL1 && reg < REG_VDISR_EL2))
		stop("writes no register", reg, value);
	registers[running_cpu][reg] = value;
}

void fp_save(struct pfn page, uint32_t i)
{
	for (uint32_t k = 0; k < 66; k++)
		page_write(page, i + k, vectors[running_cpu][k]);
}

void fp_load(struct pfn page, uint32_t i)
{
	for (uint32_t k = 0; k < 66; k++)
		vectors[running_cpu][k] = page_read(page, i + k);
}

void fp_zero(void)
{
	memset(vectors[running_cpu], 0, sizeof(vectors[running_cpu]));
}
