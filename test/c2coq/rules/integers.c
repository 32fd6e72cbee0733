/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of docs/SUBSET.md on integers: one function a rule, named by its id. */
#include "prim.h"

enum small { SMALL_A, SMALL_B = 5, SMALL_C };
enum big { BIG_BIT = 1ULL << 40, BIG_LOW = 3 };
enum below { BELOW = -2, ABOVE = 7 };

uint64_t rule_add(uint64_t a, uint64_t b)
{
	return a + b;
}

uint64_t rule_add32(uint64_t a, uint64_t b)
{
	return (uint32_t)a + (uint32_t)b;
}

uint64_t rule_sub(uint64_t a, uint64_t b)
{
	return a - b;
}

uint64_t rule_mul(uint64_t a, uint64_t b)
{
	return a * b;
}

/* The product has 32 bits, though the sum has 64. */
uint64_t rule_mul32(uint64_t a, uint64_t b)
{
	uint32_t i = (uint32_t)a;

	return b + 8u * i;
}

uint64_t rule_div(uint64_t a, uint64_t b)
{
	return a / b;
}

uint64_t rule_mod(uint64_t a, uint64_t b)
{
	return a % b;
}

uint64_t rule_div_const(uint64_t a)
{
	return a / 10 * 100 + a % 7;
}

uint64_t rule_and(uint64_t a, uint64_t b)
{
	return a & b;
}

uint64_t rule_or(uint64_t a, uint64_t b)
{
	return a | b;
}

uint64_t rule_xor(uint64_t a, uint64_t b)
{
	return a ^ b;
}

uint64_t rule_not(uint64_t a)
{
	return ~a;
}

uint64_t rule_not32(uint64_t a)
{
	return ~(uint32_t)a;
}

uint64_t rule_neg(uint64_t a)
{
	return -a;
}

uint64_t rule_shl(uint64_t a, uint64_t b)
{
	return a << b;
}

uint64_t rule_shl32(uint64_t a, uint64_t b)
{
	return (uint32_t)a << b;
}

uint64_t rule_shr(uint64_t a, uint64_t b)
{
	return a >> b;
}

uint64_t rule_shift_const(uint64_t a)
{
	return (a << 12) + (a >> 52);
}

/* uint8_t is promoted to int: no wrap at 256, and ~ gives a negative number. */
uint64_t rule_promote(uint64_t a, uint64_t b)
{
	uint8_t x = (uint8_t)a;
	uint8_t y = (uint8_t)b;

	return (x + y > 255) + 2 * (x - y < 0) + 4 * (~x < 0);
}

/* 65535 * 65535 does not fit int. */
uint64_t rule_overflow(uint64_t a, uint64_t b)
{
	uint16_t x = (uint16_t)a;
	uint16_t y = (uint16_t)b;

	return (uint32_t)(x * y);
}

uint64_t rule_signed_div(uint64_t a, uint64_t b)
{
	uint8_t x = (uint8_t)a;
	uint8_t y = (uint8_t)b;

	return (uint64_t)((x - 100) / (y - 3)) + (uint64_t)((x - 100) % (y - 3));
}

uint64_t rule_signed_shift(uint64_t a, uint64_t b)
{
	uint16_t x = (uint16_t)a;

	return (uint32_t)(x << (b & 31)) + (uint32_t)(x >> (b & 31));
}

uint64_t rule_narrow(uint64_t a)
{
	uint8_t x = (uint8_t)a;
	uint16_t y = (uint16_t)a;
	uint32_t z = (uint32_t)a;

	return x + 3 * (uint64_t)y + 5 * (uint64_t)z;
}

uint64_t rule_widen_signed(uint64_t a)
{
	uint8_t x = (uint8_t)a;

	return (uint64_t)(x - 128);
}

uint64_t rule_to_int(uint64_t a)
{
	int x = (int)(a & 0x7fffffff);

	return (uint64_t)x;
}

uint64_t rule_bool(uint64_t a, uint64_t b)
{
	bool x = a;
	bool y = b > 3;

	return x + 2 * (uint64_t)y;
}

uint64_t rule_compare(uint64_t a, uint64_t b)
{
	return (a < b) + 2 * (a <= b) + 4 * (a > b) + 8 * (a >= b) + 16 * (a == b) + 32 * (a != b);
}

uint64_t rule_compare_signed(uint64_t a, uint64_t b)
{
	uint8_t x = (uint8_t)a;
	uint8_t y = (uint8_t)b;

	return (x - 100 < y - 50) + 2 * (x - 7 >= y) + 4 * (x - 9 == y - 9);
}

uint64_t rule_enum(uint64_t a)
{
	enum small s = SMALL_C;

	return a + s + SMALL_A + 10 * SMALL_B;
}

uint64_t rule_enum_big(uint64_t a)
{
	return (a | BIG_BIT) + BIG_LOW;
}

uint64_t rule_enum_negative(uint64_t a)
{
	return a + BELOW + ABOVE;
}

uint64_t rule_literal(uint64_t a)
{
	return (a ^ 0xfedcba9876543210) + 4294967296 + 0x80000000 - 077;
}

uint64_t rule_const_fold(uint64_t a)
{
	return a & ~(uint64_t)(1 << 3 | 1 << 24) & ~7u;
}

uint64_t rule_land(uint64_t a, uint64_t b)
{
	return a > 3 && b < 10;
}

uint64_t rule_lor(uint64_t a, uint64_t b)
{
	return a > 3 || b < 10;
}

/* The right side runs only when the left does not decide. */
uint64_t rule_land_short(uint64_t a, uint64_t b)
{
	bool x = a != 0 && input(a) > b;
	bool y = b != 0 && 100 / b > a;

	return x + 2 * (uint64_t)y;
}

uint64_t rule_lor_short(uint64_t a, uint64_t b)
{
	bool x = a != 0 || input(a) > b;
	bool y = b == 0 || 100 / b > a;

	return x + 2 * (uint64_t)y;
}

uint64_t rule_lnot(uint64_t a, uint64_t b)
{
	bool x = !(a < b);

	return x + 2 * (uint64_t)!b;
}

uint64_t rule_cond(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

uint64_t rule_cond_lazy(uint64_t a, uint64_t b)
{
	uint64_t x = b == 0 ? 7 : a / b;

	return a > 5 ? input(x) : x;
}
