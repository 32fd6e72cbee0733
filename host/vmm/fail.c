// SPDX-License-Identifier: Apache-2.0
/* One line for an error; see fail.h. Each is one write, so lines of threads do not mix. */
#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void say(const char *format, va_list args, const char *tail)
{
	char line[512];

	vsnprintf(line, sizeof(line), format, args);
	fprintf(stderr, "nievm: %s%s\n", line, tail);
}

int fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, "");
	va_end(args);
	return FAILED;
}

int fail_errno(const char *format, ...)
{
	char tail[128];
	va_list args;

	snprintf(tail, sizeof(tail), ": %s", strerror(errno));
	va_start(args, format);
	say(format, args, tail);
	va_end(args);
	return FAILED;
}

int fail_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args, " (see nievm --help)");
	va_end(args);
	return USAGE;
}
