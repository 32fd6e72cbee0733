// SPDX-License-Identifier: Apache-2.0
/* The arguments of `nievm run`; see options.h. */
#include "options.h"
#include "fail.h"
#include "layout.h"

#include "../../abi/nie.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t MEMORY_MIN = 16 << 20, MEMORY_MAX = 1ull << 36;

int name_check(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char others[] = "-_.";
	size_t length = strlen(name), i;

	if (length == 0 || length > NAME_LEN)
		return fail_usage("a VM's name has 1 to %d characters", NAME_LEN);
	for (i = 0; i < length; i++)
		if (!strchr(letters, name[i]) && (i == 0 || !strchr(others, name[i])))
			return fail_usage("a VM's name is of letters, digits, '-', '_' and '.'");
	return OK;
}

static int parse_memory(uint64_t *memory, const char *text)
{
	unsigned shift = 0;
	char *rest;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &rest, 10);
	if (*rest == 'K' || *rest == 'M' || *rest == 'G')
		shift = *rest == 'K' ? 10 : *rest == 'M' ? 20 : 30;
	if (*text < '0' || *text > '9' || errno || (shift && rest[1]) || (!shift && *rest))
		return fail_usage("--memory is a number with K, M or G, not '%s'", text);
	if (n > MEMORY_MAX >> shift || n << shift < MEMORY_MIN)
		return fail_usage("--memory is from 16M to 64G, not '%s'", text);
	if ((n << shift) % BLOCK)
		return fail_usage("--memory is a multiple of 2M, not '%s'", text);
	*memory = n << shift;
	return OK;
}

static int parse_vcpus(unsigned *vcpus, const char *text)
{
	if (text[0] < '1' || text[0] > '0' + NIE_MAX_VCPUS || text[1])
		return fail_usage("--vcpus is from 1 to %d, not '%s'", NIE_MAX_VCPUS, text);
	*vcpus = (unsigned)(text[0] - '0');
	return OK;
}

static int take(struct options *o, int option, const char *value)
{
	switch (option) {
	case 'k':
		o->kernel = value;
		return OK;
	case 'i':
		o->initrd = value;
		return OK;
	case 'm':
		return parse_memory(&o->memory, value);
	case 'c':
		return parse_vcpus(&o->vcpus, value);
	case 'a':
		o->cmdline = value;
		return OK;
	case 't':
		o->console = value;
		return OK;
	case 'd':
		o->detach = true;
		return OK;
	default:
		return USAGE;
	}
}

static int check(struct options *o, int argc, char **argv)
{
	if (optind >= argc)
		return fail_usage("run: the VM's NAME is missing");
	if (optind + 1 < argc)
		return fail_usage("run: one NAME, not also '%s'", argv[optind + 1]);
	o->name = argv[optind];
	if (name_check(o->name) != OK)
		return USAGE;
	if (!o->kernel)
		return fail_usage("run: --kernel is missing");
	if (!o->console)
		o->console = o->detach ? "socket" : "stdio";
	if (o->detach && strcmp(o->console, "stdio") == 0)
		return fail_usage("run: a detached VM has no --console stdio");
	return OK;
}

int options_parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{ "kernel", required_argument, NULL, 'k' },
		{ "initrd", required_argument, NULL, 'i' },
		{ "memory", required_argument, NULL, 'm' },
		{ "vcpus", required_argument, NULL, 'c' },
		{ "cmdline", required_argument, NULL, 'a' },
		{ "console", required_argument, NULL, 't' },
		{ "detach", no_argument, NULL, 'd' },
		{ 0 },
	};
	int option;

	*o = (struct options){ .memory = 128 << 20, .vcpus = 2, .cmdline = "console=ttyAMA0" };
	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", known, NULL)) != -1) {
		if (option == ':')
			return fail_usage("run: %s needs a value", argv[optind - 1]);
		if (option == '?')
			return fail_usage("run: unknown option '%s'", argv[optind - 1]);
		if (take(o, option, optarg) != OK)
			return USAGE;
	}
	return check(o, argc, argv);
}
