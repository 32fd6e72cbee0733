/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into a VM's memory before it runs: kernel, initramfs and device tree. */
#ifndef NIEVM_IMAGE_H
#define NIEVM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* A file's content, mapped; the rest of its last page reads as zero. */
struct content {
	void *data;
	size_t size; /* bytes */
};

/* Where things go: IPAs and bytes. The tree is TREE_MAX bytes long. */
struct placement {
	uint64_t kernel, kernel_span; /* the span holds the kernel's zeroed data too */
	uint64_t initrd, initrd_size;
	uint64_t tree;
};

/* Map a regular, non-empty file; "what" names its role in the error. 0 or FAILED, said. */
int content_open(struct content *c, const char *what, const char *path);
void content_close(struct content *c);

/*
 * Check the header of an arm64 Image (Linux, Documentation/arch/arm64/booting.rst) and lay the VM's
 * memory out: kernel at the bottom, tree and initramfs at the top. ram_size is a multiple of BLOCK.
 * 0 or FAILED, said: not an Image, or too little memory.
 */
int place(struct placement *p, const struct content *kernel, const struct content *initrd,
	  uint64_t ram_size);

#endif
