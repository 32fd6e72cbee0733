/* SPDX-License-Identifier: Apache-2.0 */
/* Tests: a name, a body. A body returns early when a CHECK fails; a violation fails it too. */
#ifndef TEST_UNIT_CHECK_H
#define TEST_UNIT_CHECK_H

#include "fake.h"
#include <string.h>
#include <stddef.h>

struct test {
	const char *name;
	void (*body)(void);
};
#define TEST(name) { #name, name }

/* Each file of tests ends with its list. */
#define TESTS(file, ...)                                    \
	const struct test tests_##file[] = { __VA_ARGS__ }; \
	const size_t tests_##file##_count = sizeof(tests_##file) / sizeof(tests_##file[0])

extern bool check_failed;
void check_report(const char *file, int line, const char *text);

#define CHECK(condition)                                              \
	do {                                                          \
		if (!(condition)) {                                   \
			check_report(__FILE__, __LINE__, #condition); \
			return;                                       \
		}                                                     \
	} while (0)

/* Equal numbers; both are printed when they are not. */
void check_equal(const char *file, int line, const char *text, uint64_t is, uint64_t want);
#define CHECK_EQ(is, want)                                                              \
	do {                                                                            \
		check_equal(__FILE__, __LINE__, #is, (uint64_t)(is), (uint64_t)(want)); \
		if (check_failed)                                                       \
			return;                                                         \
	} while (0)

/* All that holds whenever the lock is free; what does not is a violation. */
void invariants(void);

/*
 * A case of its own: the host's call on CPU 0 is refused with one status and changes nothing. `why` names
 * the cause. The pair of call and status is noted, so that test/unit/coverage can find what is missing.
 */
void refused(const char *call, uint64_t id, const char *name, uint64_t status, const char *why,
	     const uint64_t args[6]);
#define REFUSED(call, status, why, ...) \
	refused(#call, NIE_##call, #status, NIE_E_##status, why, (const uint64_t[6]){ __VA_ARGS__ })

/* The call succeeds; its first result, if it has one, is returned. */
uint64_t granted(const char *file, int line, const char *call, uint64_t id, const uint64_t args[6]);
#define GRANTED(call, ...) \
	granted(__FILE__, __LINE__, #call, NIE_##call, (const uint64_t[6]){ __VA_ARGS__ })

#endif
