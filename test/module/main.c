// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "test.h"

int device;
static unsigned int passed, failed, wrong;

void check(bool ok, const char *what, const char *file, int line)
{
	if (ok)
		return;
	wrong++;
	printf("%s:%d: failed: %s (errno: %s)\n", file, line, what, strerror(errno));
}

void run(const char *name, void (*test)(void))
{
	unsigned int before = wrong;

	test();
	printf("module %s: %s\n", name, wrong == before ? "passed" : "FAILED");
	if (wrong == before)
		passed++;
	else
		failed++;
}

int create(const char *name, uint32_t vcpus, uint64_t ram_size)
{
	struct nie_create_vm args = { .ram_base = RAM_BASE, .ram_size = ram_size, .vcpus = vcpus };

	strncpy(args.name, name, sizeof(args.name) - 1);
	return ioctl(device, NIE_IOC_CREATE_VM, &args);
}

void machine(struct machine *m, const char *name, uint32_t vcpus, const char *from, const char *to)
{
	struct nie_load load = { .ipa = RAM_BASE, .size = to - from, .from = (uintptr_t)from };
	uint32_t i;

	m->vcpus = vcpus;
	m->vm = create(name, vcpus, RAM_SIZE);
	CHECK(m->vm >= 0);
	CHECK(ioctl(m->vm, NIE_VM_LOAD, &load) == 0);
	for (i = 0; i < vcpus; i++) {
		struct nie_create_vcpu args = { .index = i, .entry = RAM_BASE };

		m->vcpu[i] = ioctl(m->vm, NIE_VM_CREATE_VCPU, &args);
		CHECK(m->vcpu[i] >= 0);
	}
	m->state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu[0], 0);
	CHECK(m->state != MAP_FAILED);
	CHECK(ioctl(m->vm, NIE_VM_DO_ACTIVATE) == 0);
}

void machine_end(struct machine *m)
{
	uint32_t i;

	munmap(m->state, 4096);
	for (i = 0; i < m->vcpus; i++)
		close(m->vcpu[i]);
	close(m->vm);
}

bool listed(const char *name)
{
	struct nie_vm_info info = { .index = 0 };

	for (; ioctl(device, NIE_IOC_LIST, &info) == 0; info.index++) {
		if (!strcmp(info.name, name))
			return true;
	}
	return false;
}

long free_kib(void)
{
	long kib = 0;
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemFree: %ld", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib;
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	device = open("/dev/nie", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		printf("module-test: /dev/nie: %s\n", strerror(errno));
		return 1;
	}
	test_arguments();
	test_build();
	test_exits();
	test_life();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
