/* SPDX-License-Identifier: Apache-2.0 */
#include "../measure.h"
#include "../prim.h"

enum { BLOCK_BYTES = 64, BLOCK_WORDS = 8, PAGE_BLOCKS = 64 };

/* FIPS 180-4, 5.3.3. */
static const uint32_t sha_initial[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

static uint32_t byte_swap(uint32_t x)
{
	return x >> 24 | (x >> 8 & 0xff00) | (x << 8 & 0xff0000) | x << 24;
}

/* The stream is bytes; SHA-256 reads them as big-endian words. */
static void put_word(uint32_t i, uint64_t value)
{
	sha_schedule[2 * i] = byte_swap((uint32_t)value);
	sha_schedule[2 * i + 1] = byte_swap((uint32_t)(value >> 32));
}

static void next_block(uint32_t vm)
{
	sha256_block(vm);
	vms[vm].hashed = vms[vm].hashed + BLOCK_BYTES;
}

void measure_start(uint32_t vm)
{
	for (uint32_t i = 0; i < 8; i++)
		vms[vm].hash[i] = sha_initial[i];
	vms[vm].hashed = 0;
}

void measure_record(uint32_t vm, uint64_t kind, uint64_t a, uint64_t b, uint64_t c)
{
	put_word(0, kind);
	put_word(1, a);
	put_word(2, b);
	put_word(3, c);
	for (uint32_t i = 4; i < BLOCK_WORDS; i++)
		put_word(i, 0);
	next_block(vm);
}

void measure_page(uint32_t vm, struct pfn p)
{
	for (uint32_t block = 0; block < PAGE_BLOCKS; block++) {
		for (uint32_t i = 0; i < BLOCK_WORDS; i++) {
			uint64_t value = page_read(p, block * BLOCK_WORDS + i);

			put_word(i, value);
		}
		next_block(vm);
	}
}

void measure_finish(uint32_t vm)
{
	uint64_t bits = vms[vm].hashed * 8;

	for (uint32_t i = 0; i < 14; i++)
		sha_schedule[i] = 0;
	sha_schedule[0] = 0x80000000;
	sha_schedule[14] = (uint32_t)(bits >> 32);
	sha_schedule[15] = (uint32_t)bits;
	sha256_block(vm);
}
