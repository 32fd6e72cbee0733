/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile host without a kernel, at EL1 under the engine: what its tests use. A test is a function with
 * its file's name. It ends the boot at the first CHECK that fails; when it returns, all VMs are torn down,
 * every page that comes back must be zero, and the machine must power off.
 */
#ifndef TEST_QEMU_HOST_H
#define TEST_QEMU_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../abi/nie.h"

/* One program: no table of addresses, which somebody would have to relocate. */
#pragma GCC visibility push(hidden)

/* The machine that test/qemu/run makes. */
enum {
	RAM = 0x40000000,
	RAM_BYTES = 128 << 20,
	ENGINE = 0x40200000,
	POOL = 0x44000000, /* free for tests, to the end of RAM */
	UART = 0x09000000,
	GICD = 0x08000000,
	GICR = 0x080a0000,
	CPUS = 4,
	PAGE = 4096,
	MIB2 = 2 << 20,
};

#define TEST(name)                                                                                 \
	void name(void);                                                                           \
	__asm__(".pushsection .tests, \"a\"\n\t.balign 4\n\t.long " #name                          \
		" - .\n\t.long 1f - .\n\t.popsection\n\t.pushsection .rodata\n1:\t.asciz \"" #name \
		"\"\n\t.popsection");                                                              \
	void name(void)

/* Prints the place and ends the boot as failed. */
_Noreturn void fail(const char *file, int line, const char *text, uint64_t is, uint64_t want);
void print(const char *text);
void print_hex(uint64_t value);

#define CHECK(condition)                                            \
	do {                                                        \
		if (!(condition))                                   \
			fail(__FILE__, __LINE__, #condition, 0, 1); \
	} while (0)
#define CHECK_EQ(is, want)                                               \
	do {                                                             \
		uint64_t is_ = (uint64_t)(is), want_ = (uint64_t)(want); \
		if (is_ != want_)                                        \
			fail(__FILE__, __LINE__, #is, is_, want_);       \
	} while (0)

/* HVC: x0..x6 as the engine left them. */
struct answer {
	uint64_t x[7];
};
struct answer hvc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3, uint64_t x4,
		  uint64_t x5, uint64_t x6);
uint64_t smc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);
/* The status of a call: CALL(PAGE_ADD, vm, ipa, pa, count). */
#define CALL_(call, a, b, c, d, e, f, ...)    hvc(NIE_##call, a, b, c, d, e, f).x[0]
#define CALL(call, ...)                       CALL_(call, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_X1_(call, a, b, c, d, e, f, ...) hvc(NIE_##call, a, b, c, d, e, f).x[1]
#define CALL_X1(call, ...)                    CALL_X1_(call, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* ESR_EL1 of the fault that the access took; 0 when it took none. */
uint64_t try_load(uint64_t address, uint64_t *value);
uint64_t try_store(uint64_t address, uint64_t value);
uint64_t try_execute(uint64_t address);
/* Call code in memory: x0 goes in from *x0 and comes back there. */
uint64_t try_call(uint64_t address, uint64_t *x0);
/* What the engine makes of an access to what is not the host's: EL1 data abort, permission, level 3. */
enum { ESR_DATA_ABORT = 0x25, ESR_FETCH_ABORT = 0x21, FSC_PERMISSION_3 = 0xf, FSC_EXTERNAL = 0x10 };
void check_forbidden(uint64_t address);
/* V0-V31: fill them, or the OR of all. */
uint64_t host_vectors(uint64_t read);

/* Pages of the host, zeroed, contiguous; `align` in bytes. */
uint64_t pages(uint64_t count, uint64_t align);
static inline uint64_t page(void)
{
	return pages(1, PAGE);
}
/* The host's own level 1 table: 1 GiB an entry, identity for the first four. */
extern uint64_t mmu_root[512];
uint64_t load(uint64_t address);
void store(uint64_t address, uint64_t value);
bool is_zero(uint64_t address);

/* Other CPUs: run f(arg) there; wait for its end and get its result. */
void on_cpu(uint32_t cpu, uint64_t (*f)(uint64_t), uint64_t arg);
uint64_t wait_cpu(uint32_t cpu);
void cpu_start(uint32_t cpu);
/* The CPU turned itself off: the next use starts it anew. */
void cpu_gone(uint32_t cpu);
/* start.S: where a CPU comes up, x0 = its number. */
void secondary(void);
/* Software interrupt 1 to a CPU: takes a vCPU out. Taken by polling: the host masks interrupts. */
void kick(uint32_t cpu);
void acknowledge(void);
/* The physical timer interrupts this CPU after so many microseconds; 0: off. */
void alarm(uint64_t us);
void delay(uint64_t us);

#pragma GCC visibility pop
#endif
