// SPDX-License-Identifier: Apache-2.0
/* The model of the PL011 as a driver sees it. */
#include "../../host/vmm/pl011.h"
#include "check.h"

enum {
	DR = 0,
	FR = 0x18,
	LCR_H = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	ICR = 0x44
};
enum { RXFE = 0x10, RXFF = 0x40, TXFE = 0x80, RX = 0x10, TX = 0x20, RT = 0x40, ON = 0x301 };

static struct pl011 fresh(void)
{
	struct pl011 p;

	pl011_reset(&p);
	return p;
}

static struct pl011 running(void)
{
	struct pl011 p = fresh();

	pl011_write(&p, LCR_H, 0x70);
	pl011_write(&p, CR, ON);
	return p;
}

static void reset_values(void)
{
	struct pl011 p = fresh();

	CHECK(pl011_read(&p, CR) == 0x300);
	CHECK(pl011_read(&p, IFLS) == 0x12);
	CHECK(pl011_read(&p, IMSC) == 0);
	CHECK(pl011_read(&p, FR) & RXFE && pl011_read(&p, FR) & TXFE);
	CHECK(!pl011_interrupt(&p));
}

static void identification_is_arm_pl011(void)
{
	static const uint8_t id[8] = { 0x11, 0x10, 0x34, 0, 0x0d, 0xf0, 0x05, 0xb1 };
	struct pl011 p = fresh();
	unsigned i;

	for (i = 0; i < 8; i++)
		CHECK(pl011_read(&p, 0xfe0 + 4 * i) == id[i]);
}

static void sends_before_it_is_enabled(void)
{
	struct pl011 p = fresh();

	CHECK(pl011_write(&p, DR, 0x141) == 0x41);
	CHECK(pl011_write(&p, IMSC, 0) == PL011_NOTHING_SENT);
}

static void interrupt_after_sending_until_cleared(void)
{
	struct pl011 p = running();

	pl011_write(&p, IMSC, TX);
	CHECK(!pl011_interrupt(&p));
	pl011_write(&p, DR, 'a');
	CHECK(pl011_interrupt(&p) && pl011_read(&p, RIS) == TX);
	pl011_write(&p, ICR, TX);
	CHECK(!pl011_interrupt(&p));
}

static void receives_in_order(void)
{
	struct pl011 p = running();
	unsigned i, round;

	for (round = 0; round < 3; round++) { /* the ring wraps */
		for (i = 0; i < 20; i++)
			pl011_receive(&p, (uint8_t)(round * 20 + i));
		for (i = 0; i < 20; i++)
			CHECK(pl011_read(&p, DR) == round * 20 + i);
	}
	CHECK(pl011_read(&p, FR) & RXFE);
	CHECK(pl011_read(&p, DR) == 0);
}

static void full_fifo_loses_what_comes(void)
{
	struct pl011 p = running();
	unsigned i;

	CHECK(pl011_space(&p) == PL011_FIFO);
	for (i = 0; i < PL011_FIFO + 5; i++)
		pl011_receive(&p, (uint8_t)i);
	CHECK(pl011_space(&p) == 0 && pl011_read(&p, FR) & RXFF);
	CHECK(pl011_read(&p, DR) == 0 && pl011_space(&p) == 1);
}

static void receiver_off_has_no_space(void)
{
	struct pl011 p = fresh();

	CHECK(pl011_space(&p) == 0);
	pl011_receive(&p, 'x');
	CHECK(pl011_read(&p, FR) & RXFE);
	pl011_write(&p, CR, ON);
	CHECK(pl011_space(&p) == 1); /* FIFOs off: one holding register */
}

static void timeout_interrupt_on_the_first_character(void)
{
	struct pl011 p = running();

	pl011_write(&p, IMSC, RX | RT);
	pl011_receive(&p, 'x');
	CHECK(pl011_interrupt(&p) && pl011_read(&p, RIS) == RT);
	pl011_read(&p, DR);
	CHECK(!pl011_interrupt(&p));
}

static void cleared_interrupt_returns_with_the_next_character(void)
{
	struct pl011 p = running();

	pl011_write(&p, IMSC, RT);
	pl011_receive(&p, 'x');
	pl011_write(&p, ICR, RT);
	CHECK(!pl011_interrupt(&p));
	pl011_receive(&p, 'y');
	CHECK(pl011_interrupt(&p));
}

static void receive_interrupt_at_each_trigger_level(void)
{
	static const unsigned level[5] = { 4, 8, 16, 24, 28 };
	unsigned select, i;

	for (select = 0; select < 5; select++) {
		struct pl011 p = running();

		pl011_write(&p, IFLS, select << 3);
		for (i = 1; i <= level[select]; i++) {
			CHECK(!(pl011_read(&p, RIS) & RX));
			pl011_receive(&p, 0);
		}
		CHECK(pl011_read(&p, RIS) & RX);
		pl011_read(&p, DR);
		CHECK(!(pl011_read(&p, RIS) & RX));
	}
}

static void turning_the_fifo_off_empties_it(void)
{
	struct pl011 p = running();

	pl011_receive(&p, 'x');
	pl011_write(&p, LCR_H, 0x60);
	CHECK(pl011_read(&p, FR) & RXFE);
}

/* Whatever a VM writes wherever: no error of the sanitizers, and at most one character leaves. */
static void any_access_is_safe(void)
{
	struct pl011 p = fresh();
	uint32_t x = 1;
	unsigned i;
	int sent;

	for (i = 0; i < 300000; i++) {
		x = x * 1664525 + 1013904223;
		sent = pl011_write(&p, x >> 20 & 0xfff & (x & 64 ? 0x7f : 0xfff), x * 7);
		CHECK(sent >= -1 && sent <= 255);
		pl011_read(&p, x >> 8 & 0xfff);
		pl011_receive(&p, (uint8_t)x);
		CHECK(pl011_space(&p) <= PL011_FIFO && p.count <= PL011_FIFO);
		pl011_interrupt(&p);
	}
}

int main(void)
{
	static const struct test tests[] = {
		TEST(reset_values),
		TEST(identification_is_arm_pl011),
		TEST(sends_before_it_is_enabled),
		TEST(interrupt_after_sending_until_cleared),
		TEST(receives_in_order),
		TEST(full_fifo_loses_what_comes),
		TEST(receiver_off_has_no_space),
		TEST(timeout_interrupt_on_the_first_character),
		TEST(cleared_interrupt_returns_with_the_next_character),
		TEST(receive_interrupt_at_each_trigger_level),
		TEST(turning_the_fifo_off_empties_it),
		TEST(any_access_is_safe),
	};

	return check_all(tests, sizeof(tests) / sizeof(tests[0]));
}
