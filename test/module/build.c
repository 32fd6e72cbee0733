// SPDX-License-Identifier: Apache-2.0
/* Building a VM: loads, vCPUs, activation, each in its time only; too little memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "test.h"

static const char bytes[8192] = "content";

static int load(int vm, uint64_t ipa, uint64_t size, const void *from)
{
	struct nie_load args = { .ipa = ipa, .size = size, .from = (uintptr_t)from };

	return ioctl(vm, NIE_VM_LOAD, &args);
}

static int vcpu(int vm, uint32_t index, uint64_t entry)
{
	struct nie_create_vcpu args = { .index = index, .entry = entry };

	return ioctl(vm, NIE_VM_CREATE_VCPU, &args);
}

static void test_load(void)
{
	int vm = create("load", 1, RAM_SIZE);

	CHECK(load(vm, RAM_BASE + 0x1ff801, 4096, bytes) ==
	      0); /* over pages and chunks, unaligned */
	CHECK(load(vm, RAM_BASE, 0, bytes) == 0);
	CHECK(load(vm, RAM_BASE + RAM_SIZE - 1, 1, bytes) == 0);
	REFUSED(load(vm, RAM_BASE - 1, 2, bytes), EINVAL);
	REFUSED(load(vm, RAM_BASE + RAM_SIZE - 1, 2, bytes), EINVAL);
	REFUSED(load(vm, RAM_BASE + 4096, ~0ULL, bytes), EINVAL);
	REFUSED(load(vm, ~0ULL, 1, bytes), EINVAL);
	REFUSED(load(vm, RAM_BASE, 4096, NULL), EFAULT);
	REFUSED(ioctl(vm, NIE_VM_LOAD, NULL), EFAULT);
	REFUSED(ioctl(vm, NIE_VCPU_DO_RUN), ENOTTY);
	close(vm);
}

static void test_order(void)
{
	struct nie_irq_line line = { .intid = 32, .level = 1 };
	int vm = create("order", 2, RAM_SIZE), v0, v1;

	REFUSED(vcpu(vm, 2, RAM_BASE), EINVAL);
	v0 = vcpu(vm, 0, RAM_BASE);
	CHECK(v0 >= 0);
	REFUSED(vcpu(vm, 0, RAM_BASE), EEXIST);
	REFUSED(vcpu(vm, 1, RAM_BASE - 4096), EIO); /* the engine's refusal */
	REFUSED(ioctl(vm, NIE_VM_DO_ACTIVATE), EINVAL);
	REFUSED(ioctl(v0, NIE_VCPU_DO_RUN), EINVAL);
	REFUSED(ioctl(v0, NIE_VM_DO_STOP), ENOTTY);
	v1 = vcpu(vm, 1, RAM_BASE);
	CHECK(ioctl(vm, NIE_VM_DO_ACTIVATE) == 0);
	REFUSED(ioctl(vm, NIE_VM_DO_ACTIVATE), EBUSY);
	REFUSED(load(vm, RAM_BASE, 1, bytes), EBUSY);
	REFUSED(vcpu(vm, 1, RAM_BASE), EBUSY);
	CHECK(ioctl(vm, NIE_VM_IRQ_LINE, &line) == 0);
	line.intid = 31;
	REFUSED(ioctl(vm, NIE_VM_IRQ_LINE, &line), EINVAL);
	line.intid = NIE_INTID_END;
	REFUSED(ioctl(vm, NIE_VM_IRQ_LINE, &line), EINVAL);
	close(v0);
	close(v1);
	close(vm);
	CHECK(!listed("order"));
}

static void test_map(void)
{
	struct machine m;

	machine(&m, "map", 1, guest_spin, guest_end);
	CHECK(mmap(NULL, 8192, PROT_READ, MAP_SHARED, m.vcpu[0], 0) == MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, m.vcpu[0], 4096) == MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, m.vcpu[0], 0) == MAP_FAILED);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, m.vm, 0) == MAP_FAILED);
	machine_end(&m);
}

/* Linux keeps freed pages in lists of each CPU: one that loses memory in each round loses more than that. */
enum { SLACK_KIB = 65536, ROUNDS = 4 };

static void test_memory(void)
{
	long before = free_kib();
	int i, vm, v;

	for (i = 0; i < ROUNDS; i++) {
		vm = create("large", 1, 8ULL << 30);
		v = vcpu(vm, 0, RAM_BASE);
		CHECK(vm >= 0 && v >= 0);
		REFUSED(ioctl(vm, NIE_VM_DO_ACTIVATE), ENOMEM);
		REFUSED(ioctl(vm, NIE_VM_DO_ACTIVATE), EBUSY); /* it can only be closed */
		close(v);
		close(vm);
		CHECK(!listed("large"));
	}
	CHECK(before - free_kib() < SLACK_KIB);
}

static bool take_blocks(bool yes)
{
	int fd = open("/sys/module/nie/parameters/blocks", O_WRONLY);
	bool ok = fd >= 0 && write(fd, yes ? "Y" : "N", 1) == 1;

	close(fd);
	return ok;
}

/* Single pages, in runs as they happen to lie: all are given, and all come back. */
static void test_pieces(void)
{
	enum { SIZE = 64 << 20, LOADED = 16 << 20 };
	long before = free_kib();
	char *content = calloc(1, LOADED);
	int i, vm, v;

	CHECK(content && take_blocks(false));
	for (i = 0; i < ROUNDS; i++) {
		vm = create("pieces", 1, SIZE);
		v = vcpu(vm, 0, RAM_BASE);
		CHECK(load(vm, RAM_BASE + 4096, LOADED, content) == 0);
		CHECK(ioctl(vm, NIE_VM_DO_ACTIVATE) == 0);
		close(v);
		close(vm);
		CHECK(!listed("pieces"));
	}
	free(content);
	CHECK(take_blocks(true));
	CHECK(before - free_kib() < SLACK_KIB);
}

void test_build(void)
{
	run("load", test_load);
	run("order", test_order);
	run("map", test_map);
	run("memory", test_memory);
	run("pieces", test_pieces);
}
