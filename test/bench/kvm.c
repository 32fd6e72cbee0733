// SPDX-License-Identifier: Apache-2.0
/*
 * The least monitor for KVM that runs any_guest.S: kvm VCPUS IMAGE [protected]. Memory is there before the guest
 * starts (but for a protected one, whose pages KVM takes as they are touched), reads of devices give 0.
 */
#include "rows.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	RAM = 0x40000000,
	RAM_BYTES = 64 << 20,
	VCPUS_MAX = 8,
	GICD = 0x08000000,
	GICR = 0x080a0000
};
#define PROTECTED (1UL << 31) /* type of a VM that the host cannot read, kernels from 6.18 on */

static int kvm, vm, gic, vcpu[VCPUS_MAX];
static size_t run_bytes;
static struct kvm_run *run[VCPUS_MAX];

static int must(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "kvm: %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

static void set_register(int fd, uint64_t offset, uint64_t value)
{
	struct kvm_one_reg r = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4,
		.addr = (uint64_t)(uintptr_t)&value,
	};

	must("KVM_SET_ONE_REG", ioctl(fd, KVM_SET_ONE_REG, &r));
}

static void load(const char *path)
{
	uint8_t *ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = RAM,
		.memory_size = RAM_BYTES,
		.userspace_addr = (uint64_t)(uintptr_t)ram,
	};
	int file = must(path, open(path, O_RDONLY));

	/* Pages of 4 KiB, present: what is measured is the mapping of one, not its allocation. */
	madvise(ram, RAM_BYTES, MADV_NOHUGEPAGE);
	memset(ram, 0, RAM_BYTES);
	must(path, (int)read(file, ram, RAM_BYTES));
	close(file);
	must("memory", ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region));
}

static void gic_attribute(int fd, uint32_t group, uint64_t attribute, uint64_t value)
{
	struct kvm_device_attr a = { .group = group,
				     .attr = attribute,
				     .addr = (uint64_t)(uintptr_t)&value };

	must("GICv3", ioctl(fd, KVM_SET_DEVICE_ATTR, &a));
}

static void make_gic(void)
{
	struct kvm_create_device device = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };

	must("GICv3", ioctl(vm, KVM_CREATE_DEVICE, &device));
	gic = (int)device.fd;
	gic_attribute(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, GICD);
	gic_attribute(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, GICR);
	gic_attribute(gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0);
}

static void make_vcpu(int i)
{
	struct kvm_vcpu_init init;

	run_bytes = (size_t)must("mmap size", ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	vcpu[i] = must("KVM_CREATE_VCPU", ioctl(vm, KVM_CREATE_VCPU, i));
	run[i] = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu[i], 0);
	must("target", ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init));
	memset(init.features, 0, sizeof(init.features));
	init.features[0] = 1 << KVM_ARM_VCPU_PSCI_0_2 | (i != 0) << KVM_ARM_VCPU_POWER_OFF;
	must("KVM_ARM_VCPU_INIT", ioctl(vcpu[i], KVM_ARM_VCPU_INIT, &init));
	if (i == 0)
		set_register(vcpu[i], offsetof(struct kvm_regs, regs.pc), RAM);
}

#define HINT(n)    __asm__ volatile("hint #%0" : : "i"(n) : "memory")
#define BEGIN(row) HINT(64 + 2 * (row))
#define END(row)   HINT(65 + 2 * (row))

/* A VM of one vCPU ends with the last of its descriptors, and KVM takes its memory back. */
static _Noreturn void end(void)
{
	if (run[1] == NULL) {
		BEGIN(ROW_RECLAIM);
		munmap(run[0], run_bytes);
		close(vcpu[0]);
		close(gic);
		close(vm);
		END(ROW_RECLAIM);
	}
	printf("kvm: the guest is done\n");
	exit(0);
}

static void *serve(void *index)
{
	int i = (int)(intptr_t)index;

	for (;;) {
		if (ioctl(vcpu[i], KVM_RUN, 0) < 0 && errno != EINTR)
			must("KVM_RUN", -1);
		switch (run[i]->exit_reason) {
		case KVM_EXIT_MMIO:
			memset(run[i]->mmio.data, 0, sizeof(run[i]->mmio.data));
			break;
		case KVM_EXIT_SYSTEM_EVENT:
			end();
		default:
			fprintf(stderr, "kvm: exit %u\n", run[i]->exit_reason);
			exit(1);
		}
	}
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;
	unsigned long type = argc > 3 && strcmp(argv[3], "protected") == 0 ? PROTECTED : 0;
	pthread_t thread;

	if (argc < 3 || count < 1 || count > VCPUS_MAX) {
		fprintf(stderr, "usage: kvm VCPUS IMAGE [protected]\n");
		return 2;
	}
	kvm = must("/dev/kvm", open("/dev/kvm", O_RDWR));
	vm = must("KVM_CREATE_VM", ioctl(kvm, KVM_CREATE_VM, type));
	load(argv[2]);
	for (int i = 0; i < count; i++)
		make_vcpu(i);
	make_gic();
	for (int i = 1; i < count; i++)
		pthread_create(&thread, NULL, serve, (void *)(intptr_t)i);
	serve(NULL);
	return 0;
}
