// SPDX-License-Identifier: Apache-2.0
/* What /dev/nie and a VM's descriptor refuse, and with which errno; also what has no place or memory. */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "test.h"

static void test_version(void)
{
	CHECK(ioctl(device, NIE_IOC_VERSION) == NIE_UAPI_VERSION);
	REFUSED(ioctl(device, NIE_VM_DO_STOP), ENOTTY);
	REFUSED(ioctl(device, NIE_IOC_CREATE_VM, NULL), EFAULT);
	REFUSED(ioctl(device, NIE_IOC_LIST, NULL), EFAULT);
}

static int create_with(struct nie_create_vm args)
{
	int fd = ioctl(device, NIE_IOC_CREATE_VM, &args);

	if (fd >= 0)
		close(fd);
	return fd;
}

static void test_create(void)
{
	const struct nie_create_vm good = {
		.name = "m", .ram_base = RAM_BASE, .ram_size = RAM_SIZE, .vcpus = 1
	};
	struct nie_create_vm a;

	CHECK(create_with(good) >= 0);
#define BAD(change)                              \
	do {                                     \
		a = good;                        \
		change;                          \
		REFUSED(create_with(a), EINVAL); \
	} while (0)
	BAD(a.name[0] = 0);
	BAD(memset(a.name, 'x', sizeof(a.name)));
	BAD(a.vcpus = 0);
	BAD(a.vcpus = NIE_MAX_VCPUS + 1);
	BAD(a.ram_base += 4096);
	BAD(a.ram_base = 0);
	BAD(a.ram_base = 1ULL << 38);
	BAD(a.ram_size = 0);
	BAD(a.ram_size = ~0ULL << 21);
	BAD(a.ram_size += 1);
	BAD(a.zero = 1);
}

static void test_names(void)
{
	int fd[NIE_MAX_VMS + 1], i;
	char name[3] = { 0 };

	fd[0] = create("same", 1, RAM_SIZE);
	REFUSED(create("same", 1, RAM_SIZE), EEXIST);
	close(fd[0]);
	CHECK(!listed("same"));
	for (i = 0; i < NIE_MAX_VMS; i++) {
		name[0] = 'a' + i / 26;
		name[1] = 'a' + i % 26;
		fd[i] = create(name, 1, RAM_SIZE);
		CHECK(fd[i] >= 0);
	}
	REFUSED(create("more", 1, RAM_SIZE), ENOSPC);
	for (i = 0; i < NIE_MAX_VMS; i++)
		close(fd[i]);
	fd[0] = create("more", 1, RAM_SIZE);
	CHECK(fd[0] >= 0);
	close(fd[0]);
}

static void test_list_end(void)
{
	struct nie_vm_info info = { .index = 0 };

	REFUSED(ioctl(device, NIE_IOC_LIST, &info), ENOENT);
	info.index = ~0U;
	REFUSED(ioctl(device, NIE_IOC_LIST, &info), ENOENT);
}

void test_arguments(void)
{
	run("version", test_version);
	run("create", test_create);
	run("names", test_names);
	run("list-end", test_list_end);
}
