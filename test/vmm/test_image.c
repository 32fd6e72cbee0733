// SPDX-License-Identifier: Apache-2.0
/* Headers of kernels, hostile ones among them, and where things go. */
#include "../../host/vmm/fail.h"
#include "../../host/vmm/image.h"
#include "../../host/vmm/layout.h"
#include "check.h"

#include <string.h>

static uint8_t file[128 << 10];
static struct content kernel, initrd;
static struct placement p;

static void put(size_t offset, uint64_t value, size_t size)
{
	memcpy(file + offset, &value, size); /* these machines are little-endian */
}

static void good_kernel(void)
{
	memset(file, 0, sizeof(file));
	put(8, 0, 8);
	put(16, 1 << 20, 8);
	put(24, 10, 8);
	put(56, 0x644d5241, 4);
	kernel = (struct content){ file, sizeof(file) };
	initrd = (struct content){ file, 5000 };
}

static int try_place(uint64_t ram_size)
{
	memset(&p, 0, sizeof(p));
	return place(&p, &kernel, &initrd, ram_size);
}

static void kernel_below_initrd_below_tree(void)
{
	good_kernel();
	CHECK(try_place(16 << 20) == OK);
	CHECK(p.kernel == RAM_BASE && p.kernel_span == 1 << 20);
	CHECK(p.tree == RAM_BASE + (16 << 20) - TREE_MAX);
	CHECK(p.initrd == p.tree - 2 * PAGE && p.initrd_size == 5000);
}

static void text_offset_is_kept(void)
{
	good_kernel();
	put(8, 0x80000, 8);
	CHECK(try_place(16 << 20) == OK && p.kernel == RAM_BASE + 0x80000);
}

static void file_larger_than_image_size(void)
{
	good_kernel();
	put(16, 4096, 8);
	CHECK(try_place(16 << 20) == OK && p.kernel_span == sizeof(file));
}

static void memory_just_enough(void)
{
	good_kernel();
	put(16, (2 << 20) - TREE_MAX - 2 * PAGE, 8);
	CHECK(try_place(2 << 20) == OK);
	put(16, (2 << 20) - TREE_MAX - 2 * PAGE + 1, 8);
	CHECK(try_place(2 << 20) == FAILED);
}

static void sizes_that_wrap(void)
{
	good_kernel();
	put(16, UINT64_MAX, 8);
	CHECK(try_place(16 << 20) == FAILED);
	good_kernel();
	put(8, UINT64_MAX - 4095, 8);
	CHECK(try_place(16 << 20) == FAILED);
	good_kernel();
	put(8, 1, 8);
	CHECK(try_place(16 << 20) == FAILED);
}

static void not_an_image(void)
{
	good_kernel();
	put(56, 0, 4);
	CHECK(try_place(16 << 20) == FAILED);
	good_kernel();
	put(24, 11, 8); /* big-endian */
	CHECK(try_place(16 << 20) == FAILED);
	good_kernel();
	put(16, 0, 8);
	CHECK(try_place(16 << 20) == FAILED);
	good_kernel();
	put(0, 0x8b1f, 2); /* gzip */
	CHECK(try_place(16 << 20) == FAILED);
	good_kernel();
	put(4, 0x676d697a, 4); /* zimg */
	CHECK(try_place(16 << 20) == FAILED);
}

static void shorter_than_its_header(void)
{
	good_kernel();
	for (kernel.size = 1; kernel.size < 64; kernel.size++)
		CHECK(try_place(16 << 20) == FAILED);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(kernel_below_initrd_below_tree),
		TEST(text_offset_is_kept),
		TEST(file_larger_than_image_size),
		TEST(memory_just_enough),
		TEST(sizes_that_wrap),
		TEST(not_an_image),
		TEST(shorter_than_its_header),
	};

	return check_all(tests, sizeof(tests) / sizeof(tests[0]));
}
