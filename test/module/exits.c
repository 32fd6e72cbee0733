// SPDX-License-Identifier: Apache-2.0
/* Exits that reach the monitor, and answers that reach the VM. */
#include <errno.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include "test.h"

static void test_host_call(void)
{
	struct machine m;
	int i;

	machine(&m, "talk", 1, guest_talk, guest_end);
	for (i = 0; i < 3; i++) {
		CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0);
		CHECK(m.state->reason == NIE_EXIT_HOST_CALL);
		CHECK(m.state->x[0] == NIE_VM_HOST_CALL && m.state->x[6] == 6);
		CHECK(m.state->x[1] == (i ? 40u + i : 1));
		m.state->answer[0] = 38;
		m.state->answer[3] = 3 + i;
	}
	machine_end(&m);
}

static void test_mmio(void)
{
	struct nie_vm_info info;
	struct machine m;

	machine(&m, "devices", 1, guest_devices, guest_end);
	CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0);
	CHECK(m.state->reason == NIE_EXIT_MMIO_READ);
	CHECK(m.state->ipa == 0x0a000002 && m.state->width == 2);
	m.state->answer[0] = 0x18001; /* what does not fit is cut, the rest is sign-extended */
	CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0);
	CHECK(m.state->reason == NIE_EXIT_MMIO_WRITE);
	CHECK(m.state->ipa == 0x0a000008 && m.state->width == 8);
	CHECK(m.state->value == 0xffff8001);
	CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0);
	CHECK(m.state->reason == NIE_EXIT_HOST_CALL && m.state->x[1] == 0xffff8001);
	CHECK((m.state->x[2] & 0x1f) == NIE_INTID_END / 32 - 1); /* GICD_TYPER, by the module */
	CHECK(ioctl(m.vm, NIE_VM_GET_INFO, &info) == 0);
	CHECK(info.exits[NIE_EXIT_MMIO_READ] == 2 && info.exits[NIE_EXIT_MMIO_WRITE] == 1);
	CHECK(info.state == NIE_VM_ACTIVE && info.vcpus == 1 && info.ram_size == RAM_SIZE);
	/* Two chunks of RAM; root, level 2, level 3; context and record. */
	CHECK(info.pages == RAM_SIZE / 4096 + 3 + 2);
	CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0);
	CHECK(m.state->reason == NIE_EXIT_SYSTEM_OFF);
	CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0);
	CHECK(m.state->reason == NIE_UEXIT_STOPPED);
	CHECK(ioctl(m.vm, NIE_VM_GET_INFO, &info) == 0 && info.state == NIE_VM_STOPPED);
	machine_end(&m);
}

static void *run_second(void *arg)
{
	const struct machine *m = arg;

	CHECK(ioctl(m->vcpu[1], NIE_VCPU_DO_RUN) == 0);
	return NULL;
}

/* While vCPU 1 runs with an interrupt that it acknowledged, the redistributor says so at the first look. */
static void test_interrupts(void)
{
	pthread_t second;
	struct machine m;
	int i;

	machine(&m, "interrupts", 2, guest_interrupts, guest_end);
	CHECK(pthread_create(&second, NULL, run_second, &m) == 0);
	for (i = 0; i < 50; i++) {
		CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0);
		CHECK(m.state->reason == NIE_EXIT_HOST_CALL && m.state->x[1] == 1);
		CHECK(m.state->x[2] == 1 << 1 && m.state->x[3] == 0);
	}
	CHECK(ioctl(m.vm, NIE_VM_DO_STOP) == 0);
	pthread_join(second, NULL);
	machine_end(&m);
}

void test_exits(void)
{
	run("host-call", test_host_call);
	run("mmio", test_mmio);
	run("interrupts", test_interrupts);
}
