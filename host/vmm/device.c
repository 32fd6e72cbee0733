// SPDX-License-Identifier: Apache-2.0
/* The ioctls of /dev/nie; see device.h. */
#include "device.h"
#include "fail.h"
#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int device_open(void)
{
	int fd = open("/dev/nie", O_RDWR | O_CLOEXEC), version;

	if (fd < 0) {
		if (errno == ENOENT)
			fail("there is no /dev/nie: load the module nie.ko on a host of the "
			     "engine");
		else
			fail_errno("/dev/nie");
		return -1;
	}
	version = ioctl(fd, NIE_IOC_VERSION);
	if (version != NIE_UAPI_VERSION) {
		fail("nie.ko speaks version %d, this monitor %d", version, NIE_UAPI_VERSION);
		close(fd);
		return -1;
	}
	return fd;
}

int device_create_vm(int device, const char *name, uint64_t ram_size, unsigned vcpus)
{
	struct nie_create_vm arg = { .ram_base = RAM_BASE, .ram_size = ram_size, .vcpus = vcpus };
	int fd;

	snprintf(arg.name, sizeof(arg.name), "%s", name);
	fd = ioctl(device, NIE_IOC_CREATE_VM, &arg);
	if (fd >= 0)
		return fd;
	if (errno == EEXIST)
		fail("a VM named %s runs already", name);
	else if (errno == ENOSPC)
		fail("all VMs of the engine are in use");
	else if (errno == ENOMEM)
		fail("the host has too little memory for this VM");
	else
		fail_errno("creating the VM");
	return -1;
}

int device_load(int vm, const char *what, uint64_t ipa, const void *data, uint64_t size)
{
	struct nie_load arg = { .ipa = ipa, .size = size, .from = (uintptr_t)data };

	if (ioctl(vm, NIE_VM_LOAD, &arg) == 0)
		return OK;
	if (errno == ENOMEM)
		return fail("the host has too little memory for the VM's %s", what);
	return fail_errno("loading the %s", what);
}

int device_create_vcpu(int vm, unsigned index, uint64_t entry, uint64_t x0,
		       struct nie_vcpu_state **state)
{
	struct nie_create_vcpu arg = { .index = index, .entry = entry, .x0 = x0 };
	int fd = ioctl(vm, NIE_VM_CREATE_VCPU, &arg);
	void *page;

	if (fd < 0) {
		fail_errno("creating vCPU %u", index);
		return -1;
	}
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		fail_errno("mapping the state of vCPU %u", index);
		close(fd);
		return -1;
	}
	*state = page;
	return fd;
}

int device_activate(int vm)
{
	if (ioctl(vm, NIE_VM_DO_ACTIVATE) == 0)
		return OK;
	if (errno == ENOMEM)
		return fail("the host has too little memory for this VM");
	return fail_errno("starting the VM");
}

void device_irq_line(int vm, uint32_t intid, bool level)
{
	struct nie_irq_line arg = { .intid = intid, .level = level };

	if (ioctl(vm, NIE_VM_IRQ_LINE, &arg) != 0)
		fail_errno("raising interrupt %u", intid);
}

void device_stop(int vm)
{
	if (ioctl(vm, NIE_VM_DO_STOP) != 0)
		fail_errno("stopping the VM");
}

int device_run(int vcpu)
{
	return ioctl(vcpu, NIE_VCPU_DO_RUN) == 0 ? 0 : errno;
}

int device_list(int device, struct nie_vm_info *info)
{
	if (ioctl(device, NIE_IOC_LIST, info) == 0) {
		info->name[NIE_NAME_MAX - 1] = '\0';
		return 1;
	}
	if (errno == ENOENT)
		return 0;
	fail_errno("listing the VMs");
	return -1;
}

int device_find(int device, const char *name, struct nie_vm_info *info)
{
	int found;

	for (info->index = 0; (found = device_list(device, info)) == 1; info->index++)
		if (strcmp(info->name, name) == 0)
			return 1;
	return found;
}
