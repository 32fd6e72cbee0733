/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of docs/SUBSET.md on statements and calls: one function a rule, named by its id. */
#include "prim.h"

uint64_t rule_if(uint64_t a, uint64_t b)
{
	uint64_t r = 1;

	if (a < b)
		r = 2;
	if (a == b) {
		r = 3;
		output(r);
	}
	return r;
}

uint64_t rule_else(uint64_t a, uint64_t b)
{
	uint64_t x;
	uint64_t y = 0;

	if (a < b) {
		x = a;
	} else if (a == b) {
		x = 100;
		y = 5;
	} else {
		x = b;
		output(x);
	}
	return x + y;
}

uint64_t rule_return_early(uint64_t a, uint64_t b)
{
	if (a == 0)
		return 11;
	output(a);
	if (b == 0)
		return 12;
	output(b);
	return 13;
}

/* One side may return, both may go on. */
uint64_t rule_return_nested(uint64_t a, uint64_t b)
{
	uint64_t x = a;

	if (a > 4) {
		if (b > 4)
			return 99;
		x = x + b;
	} else {
		x = x * 2;
	}
	output(x);
	return x;
}

uint64_t rule_for(uint64_t a)
{
	uint64_t sum = 0;

	for (uint32_t i = 3; i < (uint32_t)(a & 15); i++) {
		sum = sum * 3 + i;
		output(sum);
	}
	return sum;
}

uint64_t rule_for_le(uint64_t a)
{
	uint64_t sum = a;

	for (uint64_t i = 2; i <= 6; i++)
		sum = sum * 5 + i;
	return sum;
}

uint64_t rule_for_int(uint64_t a)
{
	uint64_t sum = a;

	for (int i = 0; i < 4; i++)
		sum = sum + (uint64_t)i * sum;
	return sum;
}

uint64_t rule_for_nested(uint64_t a, uint64_t b)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < (a & 7); i++) {
		for (uint64_t j = i; j < (b & 7); j++)
			sum = sum + i * 10 + j;
		sum = sum ^ 1;
	}
	return sum;
}

uint64_t rule_for_return(uint64_t a, uint64_t b)
{
	uint64_t last = 5;

	for (uint64_t i = 0; i < 9; i++) {
		if (i == (a & 15))
			return last;
		if (i == (b & 15)) {
			output(i);
			last = i;
		}
	}
	return last + 1000;
}

/* The inner loop's return leaves the outer one too. */
uint64_t rule_for_return_inner(uint64_t a)
{
	for (uint64_t i = 0; i < 4; i++) {
		for (uint64_t j = 0; j < 4; j++) {
			if (i * 4 + j == (a & 31))
				return i * 100 + j;
		}
		output(i);
	}
	return 7;
}

uint64_t rule_switch(uint64_t a)
{
	uint64_t r = 0;

	switch (a & 7) {
	case 0:
		r = 10;
		break;
	case 1:
	case 2:
		r = 20;
		output(r);
		break;
	default:
		r = r + 1;
		break;
	case 5:
		return 50;
	}
	return r + 100;
}

uint64_t rule_switch_plain(uint64_t a)
{
	uint64_t r = 3;

	switch (input(a)) {
	case 7919:
		return 1;
	case 31:
		r = 4;
	}
	return r;
}

uint64_t rule_switch_assigns(uint64_t a)
{
	switch (a) {
	case 1:
		a = 2;
		break;
	case 2:
		a = 1;
		break;
	}
	return a;
}

uint64_t rule_compound(uint64_t a, uint64_t b)
{
	uint64_t x = a;
	uint32_t y = (uint32_t)a;
	uint8_t z = (uint8_t)b;

	x += b;
	x ^= 0xff;
	x <<= 3;
	y -= (uint32_t)b;
	y >>= 2;
	z += 200;
	z |= 1;
	x *= 3;
	x &= ~4ULL;
	x /= 5;
	x %= 1000003;
	return x + y + z;
}

uint64_t rule_step(uint64_t a)
{
	uint8_t x = (uint8_t)a;
	uint64_t y = a;

	x++;
	++x;
	y--;
	return x + y * 3;
}

static uint64_t twice(uint64_t x)
{
	return x + x;
}

static uint64_t less(uint64_t x, uint32_t y, uint64_t z)
{
	return x * 100 + y * 10 - z;
}

uint64_t rule_arguments(uint64_t a, uint64_t b)
{
	return less(a, (uint32_t)b, less(b, 3, a));
}

static void say(uint64_t x)
{
	if (x > 100)
		return;
	output(x);
	output(x + 1);
}

static bool odd(uint64_t x)
{
	return (x & 1) != 0;
}

uint64_t rule_call(uint64_t a, uint64_t b)
{
	say(a);
	if (odd(a) && !odd(b))
		say(twice(b));
	return twice(twice(a) + b);
}

uint64_t rule_call_order(uint64_t a)
{
	uint64_t first = input(a);
	uint64_t second = input(a);

	output(second);
	return twice(first) - second;
}

uint64_t rule_void_cast(uint64_t a, uint64_t b)
{
	(void)b;
	(void)input(a);
	return input(a);
}

uint64_t rule_scope(uint64_t a)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 3; i++) {
		uint64_t x = a + i;

		sum += x;
	}
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t x = (uint32_t)a * (i + 2);

		sum += x;
	}
	return sum;
}

/* A local without a value starts without one in each round. */
uint64_t rule_assigned_later(uint64_t a)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 4; i++) {
		uint64_t x;

		if (a > i)
			x = a - i;
		else
			x = 50;
		sum += x;
	}
	return sum;
}
