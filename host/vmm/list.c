// SPDX-License-Identifier: Apache-2.0
/* `nievm list`: a line for each VM of the engine. */
#include "device.h"
#include "fail.h"
#include "verbs.h"

#include "../../abi/nie.h"

#include <stdio.h>
#include <unistd.h>

static const char *state_name(uint32_t state)
{
	static const char *const names[] = {
		[NIE_VM_FREE] = "free",
		[NIE_VM_BUILDING] = "building",
		[NIE_VM_ACTIVE] = "active",
		[NIE_VM_STOPPED] = "stopped",
	};

	return state <= NIE_VM_STOPPED ? names[state] : "?";
}

static void print_exits(const __u64 *exits)
{
	static const char *const names[NIE_EXIT_REASONS] = {
		[NIE_EXIT_IRQ] = "irq",
		[NIE_EXIT_WFI] = "wfi",
		[NIE_EXIT_MMIO_READ] = "read",
		[NIE_EXIT_MMIO_WRITE] = "write",
		[NIE_EXIT_PAGE_MISSING] = "page",
		[NIE_EXIT_HOST_CALL] = "call",
		[NIE_EXIT_SGI] = "sgi",
		[NIE_EXIT_CPU_ON] = "on",
		[NIE_EXIT_CPU_OFF] = "off",
		[NIE_EXIT_SYSTEM_OFF] = "poweroff",
		[NIE_EXIT_SYSTEM_RESET] = "reset",
		[NIE_EXIT_SERROR] = "serror",
	};
	unsigned i;

	for (i = 0; i < NIE_EXIT_REASONS; i++)
		if (exits[i] && names[i])
			printf(" %s=%llu", names[i], (unsigned long long)exits[i]);
}

static void print_vm(const struct nie_vm_info *info)
{
	/* nie.ko takes the name from one whose memory the engine kept. */
	const char *name = info->name[0] ? info->name : "(lost)";

	printf("%-16s %-9s %5u %7u %6lluM %8llu ", name, state_name(info->state), info->vcpus,
	       info->running, (unsigned long long)(info->ram_size >> 20),
	       (unsigned long long)info->pages);
	print_exits(info->exits);
	printf("\n");
}

int verb_list(int argc, char **argv)
{
	struct nie_vm_info info = { 0 };
	int device, found;

	if (argc > 1)
		return fail_usage("list: unknown argument '%s'", argv[1]);
	device = device_open();
	if (device < 0)
		return FAILED;
	printf("%-16s %-9s %5s %7s %7s %8s  %s\n", "NAME", "STATE", "VCPUS", "RUNNING", "MEMORY",
	       "PAGES", "EXITS");
	for (; (found = device_list(device, &info)) == 1; info.index++)
		print_vm(&info);
	close(device);
	return found < 0 ? FAILED : OK;
}
