// SPDX-License-Identifier: Apache-2.0
/* `nievm stop NAME`: ask a VM's monitor to end it, and wait until its memory is back. */
#include "device.h"
#include "fail.h"
#include "options.h"
#include "verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long nothing may come back before we give up. Scrubbing a large VM takes longer than that in all. */
#ifndef NIEVM_PATIENCE_MS
#define NIEVM_PATIENCE_MS 30000
#endif
enum { PATIENCE_MS = NIEVM_PATIENCE_MS, STEP_MS = 50 };

static bool still_there(int device, const char *name, uint32_t pid, struct nie_vm_info *info)
{
	return device_find(device, name, info) == 1 && info->pid == pid;
}

/* Until the VM is gone, as long as the engine holds fewer and fewer pages of it. */
static int wait_gone(int device, const char *name, uint32_t pid)
{
	struct nie_vm_info info;
	uint64_t pages = UINT64_MAX;
	int left;

	for (left = PATIENCE_MS; left > 0; left -= STEP_MS) {
		if (!still_there(device, name, pid, &info))
			return OK;
		if (info.pages < pages) {
			pages = info.pages;
			left = PATIENCE_MS;
		}
		poll(NULL, 0, STEP_MS);
	}
	return fail("%s does not stop: no page came back for %d seconds", name, PATIENCE_MS / 1000);
}

/*
 * Between LIST and a kill the number could come to name another process: so the process is held first,
 * then the VM is looked up again, then the signal goes to the process that is held. The VM may outlive it:
 * another holder of a descriptor, a `list` say, may be the last one.
 */
static int stop(int device, const char *name)
{
	struct nie_vm_info info = { 0 };
	int found = device_find(device, name, &info), status = OK;
	uint32_t pid = info.pid;
	struct pollfd held = { .events = POLLIN };

	if (found < 0)
		return FAILED;
	if (found == 0)
		return fail("there is no VM named %s", name);
	held.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (held.fd < 0 && errno != ESRCH) /* ESRCH: it has just ended */
		return fail_errno("the monitor of %s", name);
	if (held.fd >= 0 && still_there(device, name, pid, &info) &&
	    syscall(SYS_pidfd_send_signal, held.fd, SIGTERM, NULL, 0) != 0 && errno != ESRCH)
		status = fail_errno("the monitor of %s", name);
	if (status == OK)
		status = wait_gone(device, name, pid);
	if (status == OK && held.fd >= 0 && poll(&held, 1, PATIENCE_MS) == 0)
		status = fail("the monitor of %s does not end", name);
	if (held.fd >= 0)
		close(held.fd);
	return status;
}

int verb_stop(int argc, char **argv)
{
	int device, status;

	if (argc != 2)
		return fail_usage("stop: one NAME is needed");
	if (name_check(argv[1]) != OK)
		return USAGE;
	device = device_open();
	if (device < 0)
		return FAILED;
	status = stop(device, argv[1]);
	close(device);
	return status;
}
