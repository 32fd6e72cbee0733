// SPDX-License-Identifier: Apache-2.0
/* `nievm stop NAME`: ask a VM's monitor to end it, and wait until its memory is back. */
#include "device.h"
#include "fail.h"
#include "options.h"
#include "verbs.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_STEPS = 200, STEP_NS = 50000000 }; /* 10 s */

static bool still_there(int device, const char *name, uint32_t pid)
{
	struct nie_vm_info info;

	return device_find(device, name, &info) == 1 && info.pid == pid;
}

/*
 * Between LIST and a kill the number could come to name another process: so the process is held first,
 * then the VM is looked up again, then the signal goes to the process that is held.
 */
static int signal_monitor(int device, const char *name, uint32_t pid)
{
	int held = (int)syscall(SYS_pidfd_open, pid, 0), error = 0;

	if (held < 0 && errno != ESRCH)
		return fail_errno("the monitor of %s", name);
	if (held >= 0 && still_there(device, name, pid) &&
	    syscall(SYS_pidfd_send_signal, held, SIGTERM, NULL, 0) != 0)
		error = errno;
	if (held >= 0)
		close(held);
	if (error && error != ESRCH) {
		errno = error;
		return fail_errno("the monitor of %s", name);
	}
	return OK;
}

static int stop(int device, const char *name)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	struct nie_vm_info info;
	int found = device_find(device, name, &info), i;

	if (found < 0)
		return FAILED;
	if (found == 0)
		return fail("there is no VM named %s", name);
	if (signal_monitor(device, name, info.pid) != OK)
		return FAILED;
	for (i = 0; i < WAIT_STEPS; i++) {
		if (!still_there(device, name, info.pid))
			return OK;
		nanosleep(&step, NULL);
	}
	return fail("%s did not stop within 10 seconds", name);
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
