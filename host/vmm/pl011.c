// SPDX-License-Identifier: Apache-2.0
/* The model of a PL011; see pl011.h. Register and bit names are those of DDI 0183G. */
#include "pl011.h"

#include <string.h>

enum reg {
	DR = 0x00,
	RSR_ECR = 0x04,
	FR = 0x18,
	ILPR = 0x20,
	IBRD = 0x24,
	FBRD = 0x28,
	LCR_H = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	MIS = 0x40,
	ICR = 0x44,
	PERIPH_ID0 = 0xfe0,
	PCELL_ID3 = 0xffc,
};

enum bits {
	FR_CTS = 1 << 0,
	FR_DSR = 1 << 1,
	FR_DCD = 1 << 2,
	FR_RXFE = 1 << 4,
	FR_RXFF = 1 << 6,
	FR_TXFE = 1 << 7,
	LCR_H_FEN = 1 << 4,
	CR_UARTEN = 1 << 0,
	CR_TXE = 1 << 8,
	CR_RXE = 1 << 9,
	INT_RX = 1 << 4,
	INT_TX = 1 << 5,
	INT_RT = 1 << 6,
	INT_ALL = 0x7ff,
	IFLS_RESET = 0x12,
};

void pl011_reset(struct pl011 *p)
{
	memset(p, 0, sizeof(*p));
	p->cr = CR_TXE | CR_RXE;
	p->ifls = IFLS_RESET;
}

static unsigned depth(const struct pl011 *p)
{
	return p->lcr_h & LCR_H_FEN ? PL011_FIFO : 1;
}

/* Characters that raise RXRIS: 1/8, 1/4, 1/2, 3/4 or 7/8 of the FIFO (UARTIFLS.RXIFLSEL). */
static unsigned rx_trigger(const struct pl011 *p)
{
	static const unsigned eighths[8] = { 1, 2, 4, 6, 7, 7, 7, 7 };

	if (depth(p) == 1)
		return 1;
	return PL011_FIFO / 8 * eighths[p->ifls >> 3 & 7];
}

static uint32_t raw_interrupts(const struct pl011 *p)
{
	uint32_t ris = p->ris_tx;

	if (p->count >= rx_trigger(p) && !p->rx_cleared)
		ris |= INT_RX;
	if (p->count > 0 && !p->timeout_cleared)
		ris |= INT_RT;
	return ris;
}

static uint32_t flags(const struct pl011 *p)
{
	uint32_t fr = FR_CTS | FR_DSR | FR_DCD | FR_TXFE;

	if (p->count == 0)
		fr |= FR_RXFE;
	if (p->count >= depth(p))
		fr |= FR_RXFF;
	return fr;
}

static uint32_t take(struct pl011 *p)
{
	uint8_t byte = p->fifo[p->head];

	if (p->count == 0)
		return 0;
	p->head = (p->head + 1) % PL011_FIFO;
	p->count--;
	return byte;
}

/* Designer Arm, part 0x011, revision r1p5 (its FIFOs hold 32); then the PrimeCell's constant. */
static uint32_t identification(unsigned offset)
{
	static const uint8_t id[8] = { 0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };

	return id[(offset - PERIPH_ID0) / 4];
}

uint32_t pl011_read(struct pl011 *p, unsigned offset)
{
	if (offset >= PERIPH_ID0 && offset <= PCELL_ID3 && offset % 4 == 0)
		return identification(offset);
	switch (offset) {
	case DR:
		return take(p);
	case FR:
		return flags(p);
	case ILPR:
		return p->ilpr;
	case IBRD:
		return p->ibrd;
	case FBRD:
		return p->fbrd;
	case LCR_H:
		return p->lcr_h;
	case CR:
		return p->cr;
	case IFLS:
		return p->ifls;
	case IMSC:
		return p->imsc;
	case RIS:
		return raw_interrupts(p);
	case MIS:
		return raw_interrupts(p) & p->imsc;
	default: /* RSR_ECR: no receive error ever happens */
		return 0;
	}
}

static void clear_interrupts(struct pl011 *p, uint32_t which)
{
	p->ris_tx &= ~which;
	p->rx_cleared |= !!(which & INT_RX);
	p->timeout_cleared |= !!(which & INT_RT);
}

/* Turning the FIFOs on or off empties them: Linux does it to flush. */
static void write_lcr_h(struct pl011 *p, uint32_t value)
{
	if ((p->lcr_h ^ value) & LCR_H_FEN)
		p->count = 0;
	p->lcr_h = value & 0xff;
}

int pl011_write(struct pl011 *p, unsigned offset, uint32_t value)
{
	switch (offset) {
	case DR: /* sent even with the UART off: early consoles do not turn it on */
		p->ris_tx = INT_TX;
		return value & 0xff;
	case ILPR:
		p->ilpr = value & 0xff;
		break;
	case IBRD:
		p->ibrd = value & 0xffff;
		break;
	case FBRD:
		p->fbrd = value & 0x3f;
		break;
	case LCR_H:
		write_lcr_h(p, value);
		break;
	case CR:
		p->cr = value & 0xffff;
		break;
	case IFLS:
		p->ifls = value & 0x3f;
		break;
	case IMSC:
		p->imsc = value & INT_ALL;
		break;
	case ICR:
		clear_interrupts(p, value);
		break;
	}
	return PL011_NOTHING_SENT;
}

unsigned pl011_space(const struct pl011 *p)
{
	uint32_t on = CR_UARTEN | CR_RXE;

	return (p->cr & on) == on && p->count < depth(p) ? depth(p) - p->count : 0;
}

void pl011_receive(struct pl011 *p, uint8_t byte)
{
	if (pl011_space(p) == 0)
		return;
	p->fifo[(p->head + p->count) % PL011_FIFO] = byte;
	p->count++;
	p->rx_cleared = false;
	p->timeout_cleared = false;
}

bool pl011_interrupt(const struct pl011 *p)
{
	return raw_interrupts(p) & p->imsc;
}
