/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine cannot go on: say why, then stop every CPU. General registers are not printed: they may
 * hold a VM's data, and the host reads the UART.
 */
#include "arch.h"

enum { PSCI_SYSTEM_OFF = 0x84000008, EL2 = 2 };

static volatile uint32_t panicking;

static _Noreturn void stop(void)
{
	/* Other CPUs may run the host or a VM, so that only the firmware can stop them all. */
	if ((mrs("CurrentEL") >> 2 & 3) == EL2)
		firmware_call(PSCI_SYSTEM_OFF, 0, 0, 0);
	for (;;)
		__asm__ volatile("wfe");
}

static void begin(const char *cause)
{
	/* The second one has nothing to add; a panic within a panic ends here too. */
	if (panicking != 0) {
		for (;;)
			__asm__ volatile("wfe");
	}
	panicking = 1;
	/* Without a manifest there is no UART. */
	if (manifest_read(MAN_MAGIC) != MAN_MAGIC_VALUE)
		stop();
	uart_init();
	uart_text("\nnie: panic on CPU ");
	uart_hex(mrs("mpidr_el1") & 0xffffff);
	uart_text(": ");
	uart_text(cause);
}

_Noreturn void panic(const char *cause)
{
	begin(cause);
	uart_text("\n");
	stop();
}

_Noreturn void panic_numbers(const char *cause, uint64_t a, uint64_t b)
{
	begin(cause);
	uart_text(" ");
	uart_hex(a);
	uart_text(", ");
	uart_hex(b);
	uart_text("\n");
	stop();
}

static void line(const char *name, uint64_t value)
{
	uart_text("nie:   ");
	uart_text(name);
	uart_hex(value);
	uart_text("\n");
}

/* From vectors.S: an exception that EL2 took from itself. The offset finds the instruction in engine.elf. */
_Noreturn void panic_exception(void)
{
	begin("an exception in the engine\n");
	line("ESR_EL2  ", mrs("esr_el2"));
	line("ELR_EL2  ", mrs("elr_el2"));
	line("offset   ", mrs("elr_el2") - (uint64_t)image_start);
	line("FAR_EL2  ", mrs("far_el2"));
	line("SPSR_EL2 ", mrs("spsr_el2"));
	stop();
}

/* From head.S, at EL1 or EL3. */
_Noreturn void start_wrong_el(void)
{
	panic_numbers("not started at EL2; at, must be:", mrs("CurrentEL") >> 2, EL2);
}

/* From vectors.S: the firmware was to turn this CPU off, which never returns. */
_Noreturn void start_off(void)
{
	enum { PSCI_CPU_OFF = 0x84000002 };
	uint64_t answer = firmware_call(PSCI_CPU_OFF, 0, 0, 0);

	panic_numbers("CPU_OFF returned:", answer, 0);
}
