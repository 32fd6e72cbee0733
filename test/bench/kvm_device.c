// SPDX-License-Identifier: Apache-2.0
/*
 * host/vmm/device.h over KVM in the place of nie.ko, so that the same monitor, `nievm`, makes and runs the same VM on both.
 * `nievm run` only; with NIEVM_KVM=protected in the environment the VM is one that the host cannot read.
 */
#include "../../host/vmm/device.h"
#include "../../host/vmm/fail.h"
#include "../../host/vmm/layout.h"

#include "../../abi/nie.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROTECTED (1UL << 31) /* type of a VM that the host cannot read, kernels from 6.18 on */

/* A monitor has one VM. */
static int kvm, vcpu[NIE_MAX_VCPUS], vcpus;
static uint8_t *ram;
static struct kvm_run *run[NIE_MAX_VCPUS];
static struct nie_vcpu_state *state[NIE_MAX_VCPUS];

static void *memory(size_t size, int flags, int fd)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		exit(fail_errno("memory"));
	return at;
}

static int ask(const char *what, int fd, unsigned long request, uintptr_t argument)
{
	int answer = ioctl(fd, request, argument);

	if (answer < 0)
		fail_errno("%s", what);
	return answer;
}

int device_open(void)
{
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		fail_errno("/dev/kvm");
	return dup(kvm);
}

int device_create_vm(int device, const char *name, uint64_t ram_size, unsigned count)
{
	const char *type = getenv("NIEVM_KVM");
	uintptr_t bits = type && strcmp(type, "protected") == 0 ? PROTECTED : 0;
	int vm = ask("KVM_CREATE_VM", device, KVM_CREATE_VM, bits);
	struct kvm_userspace_memory_region region = { .guest_phys_addr = RAM_BASE,
						      .memory_size = ram_size };

	(void)name, (void)count;
	if (vm < 0)
		return -1;
	ram = memory(ram_size, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	region.userspace_addr = (uintptr_t)ram;
	return ask("memory", vm, KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region) < 0 ? -1 : vm;
}

int device_load(int vm, const char *what, uint64_t ipa, const void *data, uint64_t size)
{
	(void)vm, (void)what;
	memcpy(ram + (ipa - RAM_BASE), data, size);
	return OK;
}

static int set_register(int fd, uint64_t offset, uint64_t value)
{
	struct kvm_one_reg r = {
		.id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4,
		.addr = (uintptr_t)&value,
	};

	return ask("a register", fd, KVM_SET_ONE_REG, (uintptr_t)&r);
}

int device_create_vcpu(int vm, unsigned index, uint64_t entry, uint64_t x0,
		       struct nie_vcpu_state **shared)
{
	struct kvm_vcpu_init init = { 0 };
	int fd = ask("KVM_CREATE_VCPU", vm, KVM_CREATE_VCPU, index);

	if (fd < 0 || ask("target", vm, KVM_ARM_PREFERRED_TARGET, (uintptr_t)&init) < 0)
		return -1;
	init.features[0] = 1 << KVM_ARM_VCPU_PSCI_0_2 | (index != 0) << KVM_ARM_VCPU_POWER_OFF;
	if (ask("KVM_ARM_VCPU_INIT", fd, KVM_ARM_VCPU_INIT, (uintptr_t)&init) < 0)
		return -1;
	if (index == 0 && (set_register(fd, offsetof(struct kvm_regs, regs.pc), entry) < 0 ||
			   set_register(fd, offsetof(struct kvm_regs, regs.regs[0]), x0) < 0))
		return -1;
	run[index] = memory((size_t)ask("size", kvm, KVM_GET_VCPU_MMAP_SIZE, 0), MAP_SHARED, fd);
	state[index] = *shared = memory(PAGE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	vcpu[index] = fd;
	vcpus++;
	return fd;
}

static int gic_attribute(int fd, uint32_t group, uint64_t attribute, uint64_t value)
{
	struct kvm_device_attr a = { .group = group, .attr = attribute, .addr = (uintptr_t)&value };

	return ask("GICv3", fd, KVM_SET_DEVICE_ATTR, (uintptr_t)&a);
}

int device_activate(int vm)
{
	struct kvm_create_device gic = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };

	if (ask("GICv3", vm, KVM_CREATE_DEVICE, (uintptr_t)&gic) < 0 ||
	    gic_attribute((int)gic.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
			  NIE_GICD_BASE) < 0 ||
	    gic_attribute((int)gic.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST,
			  NIE_GICR_BASE) < 0 ||
	    gic_attribute((int)gic.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0) <
		    0)
		return FAILED;
	return OK;
}

void device_irq_line(int vm, uint32_t intid, bool level)
{
	struct kvm_irq_level line = { .irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | intid,
				      .level = level };

	ask("KVM_IRQ_LINE", vm, KVM_IRQ_LINE, (uintptr_t)&line);
}

/* A vCPU's thread leaves KVM_RUN by itself when the VM's last has powered off. */
void device_stop(int vm)
{
	(void)vm;
}

static uint32_t reason(struct nie_vcpu_state *s, const struct kvm_run *r)
{
	switch (r->exit_reason) {
	case KVM_EXIT_MMIO:
		s->width = r->mmio.len;
		s->ipa = r->mmio.phys_addr;
		memcpy(&s->value, r->mmio.data, sizeof(s->value));
		return r->mmio.is_write ? NIE_EXIT_MMIO_WRITE : NIE_EXIT_MMIO_READ;
	case KVM_EXIT_SYSTEM_EVENT:
		return r->system_event.type == KVM_SYSTEM_EVENT_RESET ? NIE_EXIT_SYSTEM_RESET
								      : NIE_EXIT_SYSTEM_OFF;
	default:
		return NIE_EXIT_SERROR;
	}
}

int device_run(int fd)
{
	int i = 0;

	while (vcpu[i] != fd)
		i++;
	if (state[i]->reason == NIE_EXIT_MMIO_READ)
		memcpy(run[i]->mmio.data, state[i]->answer, sizeof(run[i]->mmio.data));
	if (ioctl(fd, KVM_RUN, 0) != 0)
		return errno;
	state[i]->reason = reason(state[i], run[i]);
	return 0;
}

int device_list(int device, struct nie_vm_info *info)
{
	(void)device, (void)info;
	return 0;
}

int device_find(int device, const char *name, struct nie_vm_info *info)
{
	(void)name;
	return device_list(device, info);
}
