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

enum { WAIT_MS = 30000, STEP_MS = 50 };

static bool still_there(int device, const char *name, uint32_t pid)
{
	struct nie_vm_info info;

	return device_find(device, name, &info) == 1 && info.pid == pid;
}

/*
 * Between LIST and a kill the number could come to name another process: so the process is held first,
 * then the VM is looked up again, then the signal goes to the process that is held. Its end is waited for:
 * its last descriptor of the VM, and with it the VM's memory, is given back before that.
 */
static int end_monitor(int device, const char *name, uint32_t pid)
{
	struct pollfd held = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int status = OK;

	if (held.fd < 0) /* ESRCH: it has just ended */
		return errno == ESRCH ? OK : fail_errno("the monitor of %s", name);
	if (still_there(device, name, pid)) {
		if (syscall(SYS_pidfd_send_signal, held.fd, SIGTERM, NULL, 0) != 0 &&
		    errno != ESRCH)
			status = fail_errno("the monitor of %s", name);
		else if (poll(&held, 1, WAIT_MS) == 0)
			status = fail("%s did not stop within %d seconds", name, WAIT_MS / 1000);
	}
	close(held.fd);
	return status;
}

static int stop(int device, const char *name)
{
	struct nie_vm_info info;
	int found = device_find(device, name, &info), i;

	if (found < 0)
		return FAILED;
	if (found == 0)
		return fail("there is no VM named %s", name);
	if (end_monitor(device, name, info.pid) != OK)
		return FAILED;
	/* Another holder of a descriptor, a `list` say, may be the last one. */
	for (i = 0; i < WAIT_MS; i += STEP_MS) {
		if (!still_there(device, name, info.pid))
			return OK;
		poll(NULL, 0, STEP_MS);
	}
	return fail("%s did not stop within %d seconds", name, WAIT_MS / 1000);
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
