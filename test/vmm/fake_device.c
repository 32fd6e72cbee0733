// SPDX-License-Identifier: Apache-2.0
/*
 * A stand-in for /dev/nie, so that the whole monitor runs on the development machine. VMs are files in
 * $FAKE_DIR that hold a pid and a number of pages; with $FAKE_SLOW=N that takes N steps of 0.1 s to fall to
 * 0, with $FAKE_SLOW=-N it stays as long. vCPU 0 plays $FAKE_GUEST: it says a line on its UART and then does `off`,
 * `reset`, `unserved`, `serror`, `refused`; or `echo`: sends back what it receives, `q` powers off; or
 * `flood`: sends without end. The other vCPUs wait until the VM is stopped.
 */
#include "../../host/vmm/device.h"
#include "../../host/vmm/fail.h"
#include "../../host/vmm/layout.h"

#include "../../abi/nie.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { DR = 0x00, FR = 0x18, CR = 0x30, RXFE = 0x10, CR_ON = 0x301 };

static struct nie_vcpu_state *states[NIE_MAX_VCPUS];
static int vcpu_fds[NIE_MAX_VCPUS];
static char vm_path[256];
static atomic_bool stopped;
static unsigned said; /* characters of the line that were sent */
static bool turned_on, sending;

static bool guest_is(const char *name)
{
	return strcmp(getenv("FAKE_GUEST"), name) == 0;
}

int device_open(void)
{
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int device_create_vm(int device, const char *name, uint64_t ram_size, unsigned vcpus)
{
	int fd;

	(void)device, (void)ram_size, (void)vcpus;
	snprintf(vm_path, sizeof(vm_path), "%s/%s", getenv("FAKE_DIR"), name);
	fd = open(vm_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		fail("a VM named %s runs already", name);
	else
		dprintf(fd, "%u %04d", getpid(), 9999);
	return fd;
}

/* Reading it all lets the address sanitizer see a wrong size. */
int device_load(int vm, const char *what, uint64_t ipa, const void *data, uint64_t size)
{
	const volatile uint8_t *bytes = data;
	uint64_t i;

	(void)vm, (void)what, (void)ipa;
	for (i = 0; i < size; i++)
		(void)bytes[i];
	return OK;
}

int device_create_vcpu(int vm, unsigned index, uint64_t entry, uint64_t x0,
		       struct nie_vcpu_state **state)
{
	(void)vm, (void)entry, (void)x0;
	states[index] =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*state = states[index];
	vcpu_fds[index] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return vcpu_fds[index];
}

int device_activate(int vm)
{
	(void)vm;
	return guest_is("refused") ? fail("the host has too little memory for this VM") : OK;
}

void device_irq_line(int vm, uint32_t intid, bool level)
{
	(void)vm, (void)level;
	if (intid != 33)
		abort();
}

void device_stop(int vm)
{
	const char *slow = getenv("FAKE_SLOW");
	int steps = slow ? atoi(slow) : 0, i;

	stopped = true;
	for (i = abs(steps); i > 0; i--) {
		/* As wide as the line before it, which it overwrites. */
		char line[32];
		int size = snprintf(line, sizeof(line), "%u %04d", getpid(), steps > 0 ? i : 9999);

		if (pwrite(vm, line, (size_t)size, 0) != size)
			abort();
		usleep(100000);
	}
	unlink(vm_path);
}

static void mmio(struct nie_vcpu_state *s, uint32_t reason, uint64_t ipa, uint64_t value)
{
	s->reason = reason;
	s->width = 4;
	s->ipa = ipa;
	s->value = value;
}

static void send(struct nie_vcpu_state *s, uint64_t byte)
{
	mmio(s, NIE_EXIT_MMIO_WRITE, UART_BASE + DR, byte);
}

/* Turn the UART on, then: read DR, and send what it gave if FR said that there was something. */
static void echo(struct nie_vcpu_state *s)
{
	bool was_flags = s->reason == NIE_EXIT_MMIO_READ && s->ipa == UART_BASE + FR;

	if (!turned_on) {
		turned_on = true;
		mmio(s, NIE_EXIT_MMIO_WRITE, UART_BASE + CR, CR_ON);
	} else if (sending) {
		sending = false;
		send(s, s->answer[0]);
		if (s->value == 'q')
			s->reason = NIE_EXIT_SYSTEM_OFF;
	} else if (was_flags && !(s->answer[0] & RXFE)) {
		sending = true;
		mmio(s, NIE_EXIT_MMIO_READ, UART_BASE + DR, 0);
	} else {
		usleep(1000);
		mmio(s, NIE_EXIT_MMIO_READ, UART_BASE + FR, 0);
	}
}

static void play(struct nie_vcpu_state *s)
{
	static const char line[] = "hello from the guest\n";

	if (said < sizeof(line) - 1)
		send(s, (uint8_t)line[said++]);
	else if (guest_is("off"))
		s->reason = NIE_EXIT_SYSTEM_OFF;
	else if (guest_is("reset"))
		s->reason = NIE_EXIT_SYSTEM_RESET;
	else if (guest_is("serror"))
		mmio(s, NIE_EXIT_SERROR, 0, 0);
	else if (guest_is("unserved"))
		mmio(s, NIE_EXIT_MMIO_READ, 0x0a000000, 0);
	else if (guest_is("flood"))
		send(s, 'x');
	else
		echo(s);
}

int device_run(int vcpu)
{
	unsigned index = 0;

	while (vcpu_fds[index] != vcpu)
		index++;
	while (index != 0 && !stopped)
		usleep(1000);
	if (stopped)
		states[index]->reason = NIE_UEXIT_STOPPED;
	else
		play(states[index]);
	return 0;
}

int device_list(int device, struct nie_vm_info *info)
{
	DIR *dir = opendir(getenv("FAKE_DIR"));
	struct dirent *entry;
	unsigned long long pages = 0;
	unsigned index = 0;
	char path[512];
	FILE *file;

	(void)device;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && index++ >= info->index)
			break;
	if (entry) {
		info->index = index - 1;
		snprintf(info->name, sizeof(info->name), "%s", entry->d_name);
		snprintf(path, sizeof(path), "%s/%s", getenv("FAKE_DIR"), entry->d_name);
		file = fopen(path, "r");
		if (!file || fscanf(file, "%u %llu", &info->pid, &pages) != 2)
			info->pid = 0;
		info->pages = pages;
		if (file)
			fclose(file);
	}
	closedir(dir);
	return entry != NULL;
}

int device_find(int device, const char *name, struct nie_vm_info *info)
{
	for (info->index = 0; device_list(device, info) == 1; info->index++)
		if (strcmp(info->name, name) == 0)
			return 1;
	return 0;
}
