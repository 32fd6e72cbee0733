/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model of the PL011 UART (PrimeCell UART technical reference manual, DDI 0183G) without a
 * modem, DMA or a baud rate: what is sent leaves at once, what is received arrives error-free.
 * No lock and no file here: the caller (uart.c) has both.
 */
#ifndef NIEVM_PL011_H
#define NIEVM_PL011_H

#include <stdbool.h>
#include <stdint.h>

enum { PL011_SIZE = 0x1000, PL011_FIFO = 32, PL011_NOTHING_SENT = -1 };

struct pl011 {
	uint8_t fifo[PL011_FIFO]; /* received and not yet read; head is the oldest */
	unsigned head, count;
	bool timeout_cleared; /* ICR hides RTRIS until the next character arrives */
	bool rx_cleared;      /* likewise RXRIS */
	uint32_t ris_tx;      /* UARTRIS.TXRIS, set when a character has left */
	uint32_t imsc, ibrd, fbrd, lcr_h, cr, ifls, ilpr;
};

/* The registers' values after reset (DDI 0183G, table 3-1). */
void pl011_reset(struct pl011 *p);

/* A load at offset (bytes, < PL011_SIZE). Reserved and unaligned places read as zero. */
uint32_t pl011_read(struct pl011 *p, unsigned offset);

/* A store. Returns the character that was sent (0..255) or PL011_NOTHING_SENT. */
int pl011_write(struct pl011 *p, unsigned offset, uint32_t value);

/* How many characters can be received now; 0 while the guest has the receiver off. */
unsigned pl011_space(const struct pl011 *p);

/* A character arrives; without space it is lost, as on the wire. */
void pl011_receive(struct pl011 *p, uint8_t byte);

/* The level of the combined interrupt UARTINTR. */
bool pl011_interrupt(const struct pl011 *p);

#endif
