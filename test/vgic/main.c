// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include "test.h"

enum { SHOWN_MAX = 20 };

static u32 passed, failed, wrong;

void check(bool ok, const char *what, const char *file, int line)
{
	if (ok)
		return;
	wrong++;
	if (wrong <= SHOWN_MAX)
		printf("%s:%d: failed: %s\n", file, line, what);
}

void run(const char *name, void (*test)(void))
{
	u32 before = wrong;

	test();
	printf("vgic %s: %s\n", name, wrong == before ? "passed" : "FAILED");
	if (wrong == before)
		passed++;
	else
		failed++;
}

int main(void)
{
	test_registers();
	test_delivery();
	test_overflow();
	test_random();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
