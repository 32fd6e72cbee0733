// SPDX-License-Identifier: Apache-2.0
/* Kernel and initramfs files, and their places in the VM's memory; see image.h. */
#include "image.h"
#include "fail.h"
#include "layout.h"

#include <endian.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The Image header's fields are little-endian. */
struct image_header {
	uint32_t code[2];
	uint64_t text_offset, image_size, flags;
	uint64_t reserved[3];
	uint32_t magic, pe_offset;
};

enum { IMAGE_MAGIC = 0x644d5241, FLAG_BIG_ENDIAN = 1, FILE_MAX = 1 << 30 };

static int map_file(struct content *c, int fd, const char *what, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fail_errno("%s %s", what, path);
	if (!S_ISREG(st.st_mode))
		return fail("%s %s is not a regular file", what, path);
	if (st.st_size == 0)
		return fail("%s %s is empty", what, path);
	if (st.st_size > FILE_MAX)
		return fail("%s %s is larger than 1 GiB", what, path);
	c->size = (size_t)st.st_size;
	c->data = mmap(NULL, c->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (c->data == MAP_FAILED) {
		*c = (struct content){ 0 };
		return fail_errno("%s %s", what, path);
	}
	return OK;
}

int content_open(struct content *c, const char *what, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status;

	*c = (struct content){ 0 };
	if (fd < 0)
		return fail_errno("%s %s", what, path);
	status = map_file(c, fd, what, path);
	close(fd);
	return status;
}

void content_close(struct content *c)
{
	if (c->data)
		munmap(c->data, c->size);
	*c = (struct content){ 0 };
}

static bool starts_with(const struct content *c, size_t offset, const char *magic, size_t size)
{
	return c->size >= offset + size && memcmp((char *)c->data + offset, magic, size) == 0;
}

static int check_header(struct image_header *h, const struct content *kernel)
{
	if (starts_with(kernel, 0, "\x1f\x8b", 2))
		return fail("the kernel is compressed with gzip; unpack it first");
	if (starts_with(kernel, 4, "zimg", 4))
		return fail("the kernel is a compressed EFI program; unpack it to an Image first");
	if (kernel->size < sizeof(*h))
		return fail("the kernel is too short to be an arm64 Image");
	memcpy(h, kernel->data, sizeof(*h));
	if (le32toh(h->magic) != IMAGE_MAGIC)
		return fail("the kernel is not an arm64 Image");
	if (le64toh(h->flags) & FLAG_BIG_ENDIAN)
		return fail("the kernel is big-endian, which the monitor does not serve");
	if (le64toh(h->image_size) == 0)
		return fail("the kernel's header has no image_size: it is older than Linux 3.17");
	return OK;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static int too_little(uint64_t needed)
{
	return fail("too little memory: this kernel and initramfs need at least %lluM",
		    (unsigned long long)(round_up(needed, BLOCK) >> 20));
}

/* Sizes are bounded before they are added, so that no sum can wrap: the header is anyone's input. */
int place(struct placement *p, const struct content *kernel, const struct content *initrd,
	  uint64_t ram_size)
{
	struct image_header h;
	uint64_t offset, span, needed;

	if (check_header(&h, kernel) != OK)
		return FAILED;
	offset = le64toh(h.text_offset);
	span = le64toh(h.image_size);
	if (offset > FILE_MAX || span > FILE_MAX || offset % PAGE != 0)
		return fail("the kernel's header has an impossible text_offset or image_size");
	if (span < kernel->size)
		span = kernel->size;
	needed = offset + round_up(span, PAGE) + round_up(initrd->size, PAGE) + TREE_MAX;
	if (needed > ram_size)
		return too_little(needed);
	p->kernel = RAM_BASE + offset;
	p->kernel_span = span;
	/* RAM ends at a multiple of 2 MiB: the tree below it crosses no such boundary, as it must. */
	p->tree = RAM_BASE + ram_size - TREE_MAX;
	p->initrd_size = initrd->size;
	p->initrd = p->tree - round_up(initrd->size, PAGE);
	return OK;
}
