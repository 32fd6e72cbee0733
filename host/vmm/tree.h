/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree that a VM gets. */
#ifndef NIEVM_TREE_H
#define NIEVM_TREE_H

#include <stddef.h>
#include <stdint.h>

struct tree_spec {
	uint64_t ram_size; /* bytes, from RAM_BASE */
	unsigned vcpus;    /* MPIDR affinity of vCPU i is i */
	const char *cmdline;
	uint64_t initrd, initrd_size; /* IPA and bytes; no initramfs: size 0 */
};

/* Write the tree into buf. The same spec gives the same bytes: the tree is measured. 0 or FAILED, said. */
int tree_build(void *buf, size_t size, const struct tree_spec *spec);

#endif
