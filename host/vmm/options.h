/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of `nievm run`. */
#ifndef NIEVM_OPTIONS_H
#define NIEVM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { NAME_LEN = 31 };

struct options {
	const char *name, *kernel, *initrd; /* initrd may be NULL */
	const char *cmdline, *console; /* console may be NULL: stdio, or socket when detached */
	uint64_t memory;               /* bytes, a multiple of BLOCK */
	unsigned vcpus;                /* 1..NIE_MAX_VCPUS */
	bool detach;
};

/* Parse the words after `run`; argv[0] is `run`. 0 or USAGE, said. */
int options_parse(struct options *o, int argc, char **argv);

/* A VM's name: 1 to NAME_LEN letters, digits, '-', '_' or '.', first a letter or a digit. 0 or USAGE, said. */
int name_check(const char *name);

#endif
