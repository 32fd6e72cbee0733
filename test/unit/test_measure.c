/* SPDX-License-Identifier: Apache-2.0 */
/* The measurement: NIST's vectors for SHA-256, and a whole VM against coreutils' sha256sum. */
#include "vm.h"
#include "../../engine/core/measure.h"
#include <stdio.h>
#include <stdlib.h>

/* The message, at most 119 bytes, with FIPS 180-4's padding written here anew. */
static void digest(const char *message, size_t length, uint32_t hash[8])
{
	uint8_t padded[128] = { 0 };
	size_t blocks = (length + 9 + 63) / 64;

	memcpy(padded, message, length);
	padded[length] = 0x80;
	for (uint32_t i = 0; i < 8; i++)
		padded[64 * blocks - 1 - i] = (uint8_t)(length * 8 >> 8 * i);
	measure_start(0);
	for (size_t b = 0; b < blocks; b++) {
		for (uint32_t i = 0; i < 16; i++) {
			uint8_t *p = padded + 64 * b + 4 * i;

			sha_schedule[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
					  (uint32_t)p[2] << 8 | p[3];
		}
		sha256_block(0);
	}
	memcpy(hash, vms[0].hash, 32);
	memset(&vms[0], 0, sizeof(vms[0]));
}

static void nist_vectors(void)
{
	const struct {
		const char *message;
		uint32_t hash[8];
	} t[] = {
		{ "abc",
		  { 0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223, 0xb00361a3, 0x96177a9c,
		    0xb410ff61, 0xf20015ad } },
		{ "",
		  { 0xe3b0c442, 0x98fc1c14, 0x9afbf4c8, 0x996fb924, 0x27ae41e4, 0x649b934c,
		    0xa495991b, 0x7852b855 } },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  { 0x248d6a61, 0xd20638b8, 0xe5c02693, 0x0c3e6039, 0xa33ce459, 0x64ff2167,
		    0xf6ecedd4, 0x19db06c1 } },
	};
	uint32_t hash[8];

	for (uint32_t i = 0; i < 3; i++) {
		digest(t[i].message, strlen(t[i].message), hash);
		CHECK(memcmp(hash, t[i].hash, 32) == 0);
	}
}

static void log_words(FILE *log, uint64_t kind, uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t words[8] = { kind, a, b, c };

	fwrite(words, 8, 8, log);
}

/* SHA-256 of the file by sha256sum, in hexadecimal. */
static bool file_digest(const char *path, char *hex)
{
	char command[256];
	FILE *p;
	bool ok;

	snprintf(command, sizeof(command), "sha256sum %s", path);
	p = popen(command, "r");
	ok = p != NULL && fscanf(p, "%64s", hex) == 1;
	if (p != NULL)
		pclose(p);
	return ok;
}

/* Builds a VM and writes the log that it must be measured as. */
static void build_logged(FILE *log)
{
	log_words(log, 1, IPA(0), WINDOW_PAGES, 2);
	build(0, 2);
	for (uint32_t n = 0; n < 3; n++) {
		uint64_t words[512];

		for (uint32_t i = 0; i < 512; i++)
			words[i] = 0x9e3779b97f4a7c15 * (n * 512 + i + 1);
		for (uint32_t i = 0; i < 512; i++)
			poke((CODE(0) >> 12) + n, i, words[i]);
		log_words(log, 3, IPA(n), 0, 0);
		fwrite(words, 8, 512, log);
	}
	GRANTED(PAGE_ADD, 0, IPA(0), CODE(0), 3);
	GRANTED(PAGE_ADD_ZERO, 0, IPA(10), PA(256), 20, 3);
	log_words(log, 4, IPA(10), 20, 0);
	GRANTED(PAGE_SHARED_ADD, 0, SHARED(3), PA(300), 2);
	log_words(log, 5, SHARED(3), 2, 0);
	for (uint32_t k = 0; k < 2; k++) {
		GRANTED(VCPU_CREATE, 0, k, CONTEXT(0, k), RUN(0, k), IPA(0) + 8 * k, 0x1234 + k);
		log_words(log, 2, k, IPA(0) + 8 * k, 0x1234 + k);
	}
}

static void whole_vm(void)
{
	char path[] = "/tmp/nie-measure-XXXXXX", hex[65] = "", engine[65];
	int fd = mkstemp(path);
	FILE *log = fd < 0 ? NULL : fdopen(fd, "w");
	bool ok;

	CHECK(log != NULL);
	build_logged(log);
	fclose(log);
	ok = file_digest(path, hex);
	remove(path);
	CHECK(ok);
	GRANTED(VM_ACTIVATE, 0);
	/* What comes after is not measured. */
	GRANTED(PAGE_ADD_ZERO, 0, IPA(40), PA(310), 1, 3);
	GRANTED(PAGE_SHARED_ADD, 0, SHARED(9), PA(311), 1);
	GRANTED(VM_INFO, 0);
	for (uint32_t i = 0; i < 4; i++)
		snprintf(engine + 16 * i, 17, "%016lx", cpus[0].x[3 + i]);
	CHECK(strcmp(engine, hex) == 0);
}

/* The measurement of a VM of one page, with one thing different each time. */
static void measure_variant(uint32_t n, uint64_t hash[4])
{
	start();
	GRANTED(VM_CREATE, 0, ROOT(0), IPA(0), n == 1 ? 16 : 17, n == 2 ? 2 : 1);
	GRANTED(TABLE_ADD, 0, IPA(0), 2, PA(1));
	GRANTED(TABLE_ADD, 0, IPA(0), 3, PA(2));
	poke(CODE(0) >> 12, 511, n == 3 ? 1ULL << 63 : 0);
	GRANTED(PAGE_ADD, 0, IPA(n == 4), CODE(0), 1);
	GRANTED(VCPU_CREATE, 0, 0, CONTEXT(0, 0), RUN(0, 0), IPA(0) + (n == 5), n == 6);
	if (n == 2)
		GRANTED(VCPU_CREATE, 0, 1, CONTEXT(0, 1), RUN(0, 1), IPA(0), 0);
	if (n == 7)
		GRANTED(PAGE_ADD_ZERO, 0, IPA(5), PA(300), 1, 3);
	GRANTED(VM_ACTIVATE, 0);
	GRANTED(VM_INFO, 0);
	memcpy(hash, &cpus[0].x[3], 32);
}

static void everything_counts(void)
{
	uint64_t hash[8][4], again[4];

	for (uint32_t n = 0; n < 8; n++) {
		measure_variant(n, hash[n]);
		for (uint32_t m = 0; m < n; m++)
			CHECK(memcmp(hash[n], hash[m], 32) != 0);
	}
	measure_variant(0, again);
	CHECK(memcmp(hash[0], again, 32) == 0);
}

TESTS(measure, TEST(nist_vectors), TEST(whole_vm), TEST(everything_counts));
