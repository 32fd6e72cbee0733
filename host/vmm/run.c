// SPDX-License-Identifier: Apache-2.0
/* `nievm run`: build a VM, run it until it ends, perhaps in the background. */
#include "fail.h"
#include "machine.h"
#include "verbs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* A descriptor on which the signals that end a VM can be read, or -1, said. */
static int catch_signals(void)
{
	sigset_t set;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		fail_errno("signalfd");
	return fd;
}

static void serve_console(struct machine *m, int signals)
{
	const int others[2] = { m->ended, signals };
	struct signalfd_siginfo signal;
	uint8_t input[PL011_FIFO];
	int count;

	while (machine_status(m) == RUNNING) {
		count = console_poll(&m->console, others, input, uart_space(&m->uart));
		if (count > 0)
			uart_receive(&m->uart, input, (size_t)count);
		if (count < 0 || read(signals, &signal, sizeof(signal)) > 0)
			machine_end(m, STOPPED);
	}
}

/* The parent learns by one byte that the VM runs; from then on errors go to the VM's log. */
static int leave_terminal(const struct options *o, int ready)
{
	char path[64];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), log;

	if (console_directory() != OK)
		return FAILED;
	snprintf(path, sizeof(path), "%s/%s.log", NIEVM_DIRECTORY, o->name);
	log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (null < 0 || log < 0)
		return fail_errno("%s", null < 0 ? "/dev/null" : path);
	if (write(ready, "r", 1) != 1)
		return fail_errno("the terminal's process");
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	close(null);
	close(log);
	close(ready);
	return OK;
}

static void say_end(const struct options *o, int status)
{
	static const char *const how[] = {
		[OK] = "powered off",
		[RESET] = "asked for a reset, which ends it",
		[STOPPED] = "stopped",
		[UNSERVED] = NULL, /* said where it happened */
	};

	if ((unsigned)status <= STOPPED && how[status])
		fprintf(stderr, "nievm: %s: %s\n", o->name, how[status]);
}

/* ready: -1, or where to tell that the VM runs. */
static int run(const struct options *o, int ready)
{
	static struct machine m;
	int signals = catch_signals(), status;

	if (signals < 0)
		return FAILED;
	status = machine_build(&m, o);
	if (status == OK)
		status = machine_start(&m);
	if (status == OK && ready >= 0)
		status = leave_terminal(o, ready);
	if (status != OK) {
		machine_close(&m);
		return status;
	}
	serve_console(&m, signals);
	machine_close(&m);
	status = machine_status(&m);
	say_end(o, status);
	return status;
}

static int run_detached(const struct options *o)
{
	int ready[2], status;
	pid_t child;
	char byte;

	if (pipe2(ready, O_CLOEXEC) != 0)
		return fail_errno("pipe");
	child = fork();
	if (child < 0)
		return fail_errno("fork");
	if (child == 0) {
		close(ready[0]);
		setsid();
		return run(o, ready[1]);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		return OK;
	if (waitpid(child, &status, 0) == child && WIFEXITED(status))
		return WEXITSTATUS(status);
	return fail("%s: the monitor died", o->name);
}

int verb_run(int argc, char **argv)
{
	struct options o;

	if (options_parse(&o, argc, argv) != OK)
		return USAGE;
	return o.detach ? run_detached(&o) : run(&o, -1);
}
