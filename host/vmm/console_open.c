// SPDX-License-Identifier: Apache-2.0
/* Opening and closing the other end of a console; see console.h. */
#include "console.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void console_path(char *path, size_t size, const char *vm_name)
{
	snprintf(path, size, "%s/%s.console", NIEVM_DIRECTORY, vm_name);
}

int console_directory(void)
{
	if (mkdir(NIEVM_DIRECTORY, 0700) != 0 && errno != EEXIST)
		return fail_errno("%s", NIEVM_DIRECTORY);
	return OK;
}

bool terminal_raw(int fd, struct termios *saved)
{
	struct termios raw;

	if (tcgetattr(fd, saved) != 0)
		return false;
	raw = *saved;
	cfmakeraw(&raw);
	return tcsetattr(fd, TCSANOW, &raw) == 0;
}

/* A terminal opened anew can be non-blocking without making the shell's descriptor so. */
static int own_descriptor(int fd)
{
	char path[32];
	int own = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (isatty(fd))
		own = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int open_stdio(struct console *c)
{
	c->in = own_descriptor(STDIN_FILENO); /* a closed one is -1: no input */
	c->out = own_descriptor(STDOUT_FILENO);
	if (c->out < 0)
		return fail_errno("standard output");
	c->raw = c->in >= 0 && terminal_raw(c->in, &c->saved);
	c->escape = c->raw;
	return OK;
}

static int open_file(struct console *c, const char *path)
{
	c->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
	if (c->out < 0)
		return fail_errno("console %s", path);
	return OK;
}

static int open_pty(struct console *c, const char *vm_name)
{
	char name[64];
	int slave;

	c->lossy = true;
	c->out = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (c->out < 0 || grantpt(c->out) || unlockpt(c->out) ||
	    ptsname_r(c->out, name, sizeof(name)))
		return fail_errno("console pty");
	/* Held open for ever: without any slave the master would read as hung up. */
	slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || !terminal_raw(slave, &c->saved))
		return fail_errno("console %s", name);
	c->in = c->out;
	fprintf(stderr, "nievm: the console of %s is %s\n", vm_name, name);
	return OK;
}

static int open_socket(struct console *c, const char *vm_name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	c->lossy = true;
	if (console_directory() != OK)
		return FAILED;
	console_path(address.sun_path, sizeof(address.sun_path), vm_name);
	unlink(address.sun_path); /* of a monitor that was killed; the name is ours, nie.ko said */
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&address, sizeof(address)) != 0)
		return fail_errno("console %s", address.sun_path);
	snprintf(c->path, sizeof(c->path), "%s", address.sun_path);
	if (listen(c->listener, 4) != 0)
		return fail_errno("console %s", c->path);
	return OK;
}

int console_open(struct console *c, const char *spec, const char *vm_name)
{
	memset(c, 0, sizeof(*c));
	c->in = -1;
	c->out = -1;
	c->listener = -1;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->room, NULL);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake < 0)
		return fail_errno("console");
	if (strcmp(spec, "stdio") == 0)
		return open_stdio(c);
	if (strcmp(spec, "pty") == 0)
		return open_pty(c, vm_name);
	if (strcmp(spec, "socket") == 0)
		return open_socket(c, vm_name);
	return open_file(c, spec);
}

/* What the VM said last must be seen, but a reader that stopped reading holds nothing up. */
static void flush(struct console *c)
{
	static const int none[2] = { -1, -1 };
	struct pollfd fd;

	while (c->used > 0 && c->out >= 0) {
		fd = (struct pollfd){ .fd = c->out, .events = POLLOUT };
		if (poll(&fd, 1, 2000) <= 0)
			return;
		console_poll(c, none, NULL, 0);
	}
}

void console_close(struct console *c)
{
	flush(c);
	if (c->raw)
		tcsetattr(c->in >= 0 ? c->in : STDIN_FILENO, TCSADRAIN, &c->saved);
	if (c->path[0])
		unlink(c->path);
	if (c->listener >= 0)
		close(c->listener);
	if (c->in >= 0 && c->in != c->out)
		close(c->in);
	if (c->out >= 0)
		close(c->out);
	if (c->wake >= 0)
		close(c->wake);
}
