/* SPDX-License-Identifier: Apache-2.0 */
/* A test is a function that returns early when a CHECK fails; main runs them and counts. */
#ifndef TEST_VMM_CHECK_H
#define TEST_VMM_CHECK_H

#include <stdio.h>

static int check_failed;

#define CHECK(condition)                                                               \
	do {                                                                           \
		if (!(condition)) {                                                    \
			printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			check_failed = 1;                                              \
			return;                                                        \
		}                                                                      \
	} while (0)

struct test {
	const char *name;
	void (*body)(void);
};

#define TEST(name) { #name, name }

/* Prints a line for each test that fails, and the sums; returns main's status. */
static inline int check_all(const struct test *tests, size_t count)
{
	size_t i, failed = 0;

	for (i = 0; i < count; i++) {
		check_failed = 0;
		tests[i].body();
		if (check_failed)
			printf("FAILED %s\n", tests[i].name);
		failed += (size_t)check_failed;
	}
	printf("%zu passed, %zu failed\n", count - failed, failed);
	return failed != 0;
}

#endif
