// SPDX-License-Identifier: Apache-2.0
/* `nievm console NAME`: this terminal is the VM's console until Ctrl-] or the VM's end. */
#include "console.h"
#include "fail.h"
#include "options.h"
#include "verbs.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	console_path(address.sun_path, sizeof(address.sun_path), name);
	if (fd < 0) {
		fail_errno("socket");
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (errno == ENOENT || errno == ECONNREFUSED)
		fail("there is no VM named %s with a console socket", name);
	else
		fail_errno("%s", address.sun_path);
	close(fd);
	return -1;
}

static bool write_all(int fd, const uint8_t *bytes, size_t count)
{
	ssize_t done;

	for (; count > 0; bytes += done, count -= (size_t)done) {
		done = write(fd, bytes, count);
		if (done <= 0)
			return false;
	}
	return true;
}

/* What was typed goes to the VM, up to the escape; false when that came. The end of input is no escape. */
static bool send_input(int fd, int *input)
{
	uint8_t bytes[512], *escape;
	ssize_t count = read(*input, bytes, sizeof(bytes));

	if (count <= 0) {
		*input = -1;
		return true;
	}
	escape = memchr(bytes, CONSOLE_ESCAPE, (size_t)count);
	return write_all(fd, bytes, escape ? (size_t)(escape - bytes) : (size_t)count) && !escape;
}

static bool show_output(int fd)
{
	uint8_t bytes[512];
	ssize_t count = read(fd, bytes, sizeof(bytes));

	return count > 0 && write_all(STDOUT_FILENO, bytes, (size_t)count);
}

/* One step; false when it is over. *input is -1 after the end of standard input. */
static bool step(int fd, int *input)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
				 { .fd = *input, .events = POLLIN } };

	if (poll(fds, 2, -1) < 0)
		return errno == EINTR;
	if (fds[0].revents && !show_output(fd))
		return false;
	return !fds[1].revents || send_input(fd, input);
}

int verb_console(int argc, char **argv)
{
	int input = STDIN_FILENO, fd;
	struct termios saved;
	bool raw;

	if (argc != 2)
		return fail_usage("console: one NAME is needed");
	if (name_check(argv[1]) != OK)
		return USAGE;
	fd = connect_to(argv[1]);
	if (fd < 0)
		return FAILED;
	raw = terminal_raw(STDIN_FILENO, &saved);
	if (raw)
		fprintf(stderr, "nievm: console of %s; Ctrl-] leaves it\r\n", argv[1]);
	while (step(fd, &input))
		;
	if (raw) {
		tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
		fprintf(stderr, "\nnievm: left the console of %s\n", argv[1]);
	}
	close(fd);
	return OK;
}
