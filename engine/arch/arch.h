/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of engine/arch share. The core sees only ../core/prim.h. */
#ifndef NIE_ARCH_H
#define NIE_ARCH_H

#include "../core/core.h"
#include "../core/prim.h"
#include "../core/state.h"
#include "layout.h"

/* engine.ld and head.S; their addresses are physical ones. */
extern const char image_start[], rodata_start[], data_start[], bss_start[], stacks_end[];
extern char stacks[];
extern const volatile uint64_t manifest[512];
void secondary(void);

/* Any register by name. Kept in program order with each other and with memory accesses. */
#define mrs(name)                                                              \
	({                                                                     \
		uint64_t value_;                                               \
		__asm__ volatile("mrs %0, " name : "=r"(value_) : : "memory"); \
		value_;                                                        \
	})
#define msr(name, value) \
	__asm__ volatile("msr " name ", %x0" : : "rZ"((uint64_t)(value)) : "memory")

/* Bits of a register; a field of four bits, as in the ID registers. */
static inline uint64_t field(uint64_t value, uint32_t low)
{
	return value >> low & 15;
}

/* Physical addresses are virtual ones: mmu.c maps identically. */
static inline uint64_t address_of_page(uint64_t page)
{
	return page << NIE_PAGE_SHIFT;
}

/* el2.c: refuse a CPU that the engine was not designed for; registers that the core does not write. */
void cpu_check(void);
void cpu_reset(uint32_t cpu);

/* mmu.c: fill the engine's own tables from the manifest. MMU off. */
void mmu_build(void);

/* Print the cause on the manifest's UART and stop the machine. Never returns. */
_Noreturn void panic(const char *cause);
/* The same with two numbers that explain it. */
_Noreturn void panic_numbers(const char *cause, uint64_t a, uint64_t b);

/* uart.c: polled, bounded: a UART that does not drain loses text, the engine does not wait for it. */
void uart_init(void);
void uart_text(const char *text);
void uart_hex(uint64_t value);
void uart_decimal(uint64_t value);

#endif
