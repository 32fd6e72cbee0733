/* SPDX-License-Identifier: Apache-2.0 */
/* PL011, for the banner and for a panic. The host owns it otherwise [DDI0183, chapter 3]. */
#include "arch.h"

enum pl011 {
	UARTDR = 0x0,
	UARTFR = 0x18,
	UARTCR = 0x30,
	FR_TXFF = 1 << 5,
	CR_UARTEN_TXE = 1 << 0 | 1 << 8,
	POLLS = 1 << 20,
};

static volatile uint32_t *reg(uint32_t offset)
{
	return (volatile uint32_t *)(address_of_page(manifest_read(MAN_UART)) + offset);
}

void uart_init(void)
{
	*reg(UARTCR) = *reg(UARTCR) | CR_UARTEN_TXE;
}

static void put(char c)
{
	for (uint32_t i = 0; i < POLLS; i++) {
		if ((*reg(UARTFR) & FR_TXFF) == 0)
			break;
	}
	*reg(UARTDR) = (uint8_t)c;
}

void uart_text(const char *text)
{
	for (; *text != 0; text++) {
		if (*text == '\n')
			put('\r');
		put(*text);
	}
}

void uart_hex(uint64_t value)
{
	uart_text("0x");
	for (int32_t shift = 60; shift >= 0; shift -= 4) {
		uint64_t digit = value >> shift & 15;

		if (value >> shift != 0 || shift == 0)
			put((char)(digit < 10 ? '0' + digit : 'a' + digit - 10));
	}
}

void uart_decimal(uint64_t value)
{
	uint64_t unit = 1;

	while (value / unit >= 10)
		unit *= 10;
	for (; unit != 0; unit /= 10)
		put((char)('0' + value / unit % 10));
}
