// SPDX-License-Identifier: Apache-2.0
/*
 * keeper [MIB]: runs in a VM. Fills memory with a secret that only this process can know and checks
 * it for ever, a line a second. Ends with status 1 when a bit of it has changed, with 0 when it reads
 * the line `poweroff`.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum { MIB_DEFAULT = 16, MIB_MAX = 1024 };

/* SplitMix64: a word of the stream depends on every bit of its state. */
static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void fill(uint64_t *words, size_t count, uint64_t seed)
{
	size_t i;

	for (i = 0; i < count; i++)
		words[i] = next(&seed);
}

/* The index of the first wrong word, or count. */
static size_t check(const uint64_t *words, size_t count, uint64_t seed)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (words[i] != next(&seed))
			break;
	return i;
}

/*
 * Where this VM has the page at `p`, as it sees memory itself; 0 when its kernel does not say. An entry of pagemap has
 * the page's number in bits 54..0, and bit 63 set when there is a page.
 */
static uint64_t place_of(const void *p)
{
	const uint64_t page = 4096, present = 1ull << 63, number = (1ull << 55) - 1;
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)p / page * sizeof(entry))) !=
	    sizeof(entry))
		entry = 0;
	close(fd);
	return entry & present ? (entry & number) * page : 0;
}

/* Wait a second, or for input; 1 when `poweroff` was read. *input is -1 after its end. */
static int told_to_end(int *input)
{
	struct pollfd fd = { .fd = *input, .events = POLLIN };
	char line[64];
	ssize_t count;

	if (poll(&fd, 1, 1000) <= 0)
		return 0;
	count = read(*input, line, sizeof(line) - 1);
	if (count <= 0) {
		*input = -1;
		return 0;
	}
	line[count] = '\0';
	return strncmp(line, "poweroff", 8) == 0;
}

static int keep(const uint64_t *words, size_t count, uint64_t seed)
{
	unsigned long round = 0;
	int input = STDIN_FILENO;
	size_t wrong;

	while (!told_to_end(&input)) {
		wrong = check(words, count, seed);
		if (wrong != count) {
			printf("keeper: secret CHANGED at word %zu\n", wrong);
			return 1;
		}
		printf("keeper: secret intact, round %lu\n", ++round);
	}
	return 0;
}

int main(int argc, char **argv)
{
	long mib = argc > 1 ? strtol(argv[1], NULL, 10) : MIB_DEFAULT;
	size_t size = (size_t)mib << 20;
	uint64_t seed, *words;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (mib < 1 || mib > MIB_MAX) {
		fprintf(stderr, "keeper: MIB is from 1 to %d\n", MIB_MAX);
		return 2;
	}
	words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (words == MAP_FAILED || getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		perror("keeper");
		return 2;
	}
	fill(words, size / sizeof(*words), seed);
	printf("keeper: secret of %ld MiB kept, from 0x%llx on\n", mib,
	       (unsigned long long)place_of(words));
	return keep(words, size / sizeof(*words), seed);
}
