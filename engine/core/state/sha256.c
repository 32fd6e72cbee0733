/* SPDX-License-Identifier: Apache-2.0 */
/* The block function of SHA-256, in the terms of FIPS 180-4, 4.1.2 and 6.2.2. */
#include "../measure.h"

uint32_t sha_schedule[64];

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
/* clang-format off */
static const uint32_t sha_k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
/* clang-format on */

static uint32_t rotr(uint32_t x, uint32_t n)
{
	return x >> n | x << (32 - n);
}

static uint32_t schedule_next(uint32_t t)
{
	uint32_t w2 = sha_schedule[t - 2];
	uint32_t w15 = sha_schedule[t - 15];
	uint32_t s1 = rotr(w2, 17) ^ rotr(w2, 19) ^ w2 >> 10;
	uint32_t s0 = rotr(w15, 7) ^ rotr(w15, 18) ^ w15 >> 3;

	return s1 + sha_schedule[t - 7] + s0 + sha_schedule[t - 16];
}

/* The eight working variables a..h. */
struct working {
	uint32_t a, b, c, d, e, f, g, h;
};

static struct working sha_round(struct working v, uint32_t t)
{
	uint32_t s1 = rotr(v.e, 6) ^ rotr(v.e, 11) ^ rotr(v.e, 25);
	uint32_t ch = (v.e & v.f) ^ (~v.e & v.g);
	uint32_t t1 = v.h + s1 + ch + sha_k[t] + sha_schedule[t];
	uint32_t s0 = rotr(v.a, 2) ^ rotr(v.a, 13) ^ rotr(v.a, 22);
	uint32_t maj = (v.a & v.b) ^ (v.a & v.c) ^ (v.b & v.c);

	return (struct working){ t1 + s0 + maj, v.a, v.b, v.c, v.d + t1, v.e, v.f, v.g };
}

void sha256_block(uint32_t vm)
{
	struct vm *m = &vms[vm];
	struct working v = { m->hash[0], m->hash[1], m->hash[2], m->hash[3],
			     m->hash[4], m->hash[5], m->hash[6], m->hash[7] };

	for (uint32_t t = 16; t < 64; t++)
		sha_schedule[t] = schedule_next(t);
	for (uint32_t t = 0; t < 64; t++)
		v = sha_round(v, t);
	m->hash[0] = m->hash[0] + v.a;
	m->hash[1] = m->hash[1] + v.b;
	m->hash[2] = m->hash[2] + v.c;
	m->hash[3] = m->hash[3] + v.d;
	m->hash[4] = m->hash[4] + v.e;
	m->hash[5] = m->hash[5] + v.f;
	m->hash[6] = m->hash[6] + v.g;
	m->hash[7] = m->hash[7] + v.h;
}
