/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manifest: one page of 64-bit words inside the engine's image, filled in by tools/pack-image.
 * It says what the machine is like and where the packed parts lie; engine/core/boot.c checks it.
 * Page numbers are physical addresses divided by 4096.
 */
#ifndef NIE_MANIFEST_H
#define NIE_MANIFEST_H

/* clang-format off */
enum nie_manifest_word {
	MAN_MAGIC = 0,        /* MAN_MAGIC_VALUE */
	MAN_ENGINE_BASE = 1,  /* page number where the image must have been loaded; multiple of 512 */
	MAN_ENGINE_PAGES = 2, /* image, stacks, granule table and host stage-2 tables; multiple of 512 */
	MAN_RAM_BASE = 3,     /* first page of RAM; multiple of 512 */
	MAN_RAM_PAGES = 4,    /* pages of RAM; multiple of 512 */
	MAN_TABLES = 5,       /* first page of the host's stage-2 tables, inside the engine's range */
	MAN_CPUS = 6,         /* physical CPUs, 1..8; CPU i has MPIDR affinity i */
	MAN_HOST_ENTRY = 7,   /* byte address where the host's kernel starts */
	MAN_HOST_DTB = 8,     /* byte address of the host's device tree */
	MAN_GICR = 9,         /* page number of the first redistributor; CPU i's is 32 * i further */
	MAN_UART = 10,        /* page number of the PL011 on which a panic is printed */
	MAN_DEVICES = 11,     /* how many device windows follow, 0..8 */
	MAN_KEEP_BASE = 12,   /* first page of what was packed for the host: not scrubbed at boot */
	MAN_KEEP_PAGES = 13,
	MAN_DEV_BASE = 14,    /* all device windows lie in these pages, below 1 GiB; multiple of 512 */
	MAN_DEV_PAGES = 15,   /* multiple of 512 */
	MAN_DEVICE0 = 16,     /* pairs: first page, pages; given to the host, but for the
	                       * first page of each redistributor */
	MAN_END = 32,
};
/* clang-format on */

enum nie_manifest_limit { MAN_MAX_DEVICES = 8 };

/* "nie-man1" read as a little-endian word */
#define MAN_MAGIC_VALUE 0x316e616d2d65696eULL

#endif
