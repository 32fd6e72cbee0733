// SPDX-License-Identifier: Apache-2.0
/* Moving a console's characters; see console.h. console_open.c opens and closes. */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A pipe that polls as writable takes this much without blocking (POSIX's least PIPE_BUF). */
enum { CHUNK = 512 };

void console_wake(struct console *c)
{
	const uint64_t one = 1;

	/* It cannot fail but by overflow, and then the reader is awake anyway. */
	if (write(c->wake, &one, sizeof(one)) < 0)
		return;
}

void console_put(struct console *c, uint8_t byte)
{
	bool was_empty;

	pthread_mutex_lock(&c->lock);
	while (c->used == CONSOLE_RING && !c->lossy && !c->closing)
		pthread_cond_wait(&c->room, &c->lock);
	if (c->used == CONSOLE_RING) { /* the oldest is lost */
		c->start = (c->start + 1) % CONSOLE_RING;
		c->used--;
	}
	was_empty = c->used == 0;
	c->ring[(c->start + c->used) % CONSOLE_RING] = byte;
	c->used++;
	pthread_mutex_unlock(&c->lock);
	if (was_empty)
		console_wake(c);
}

void console_release(struct console *c)
{
	pthread_mutex_lock(&c->lock);
	c->closing = true;
	pthread_cond_broadcast(&c->room);
	pthread_mutex_unlock(&c->lock);
}

/* Copy the oldest output without taking it. */
static size_t peek(struct console *c, uint8_t *bytes, size_t size)
{
	size_t i;

	pthread_mutex_lock(&c->lock);
	for (i = 0; i < size && i < c->used; i++)
		bytes[i] = c->ring[(c->start + i) % CONSOLE_RING];
	pthread_mutex_unlock(&c->lock);
	return i;
}

static void drop(struct console *c, size_t count)
{
	pthread_mutex_lock(&c->lock);
	if (count > c->used) /* console_put has dropped some meanwhile */
		count = c->used;
	c->start = (c->start + count) % CONSOLE_RING;
	c->used -= count;
	pthread_cond_broadcast(&c->room);
	pthread_mutex_unlock(&c->lock);
}

/* The other end is gone: a socket waits for the next client; else nobody will ever read. */
static void hang_up(struct console *c)
{
	if (c->listener >= 0) {
		close(c->out);
	} else {
		pthread_mutex_lock(&c->lock);
		c->lossy = true;
		pthread_cond_broadcast(&c->room);
		pthread_mutex_unlock(&c->lock);
	}
	c->in = -1;
	c->out = -1;
}

static void move_output(struct console *c)
{
	uint8_t bytes[CHUNK];
	size_t count = peek(c, bytes, sizeof(bytes));
	ssize_t done = write(c->out, bytes, count);

	if (done > 0)
		drop(c, (size_t)done);
	else if (done < 0 && errno != EAGAIN && errno != EINTR)
		hang_up(c);
}

static void accept_client(struct console *c)
{
	static const char busy[] = "nievm: this console is in use\r\n";
	int client = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return;
	if (c->out >= 0) {
		if (write(client, busy, sizeof(busy) - 1) < 0)
			errno = 0; /* it left already */
		close(client);
		return;
	}
	c->in = client;
	c->out = client;
}

static int take_input(struct console *c, uint8_t *input, size_t space)
{
	ssize_t count = read(c->in, input, space);

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (count <= 0) { /* the end of a file is no end of the console's output */
		if (c->listener >= 0)
			hang_up(c);
		else
			c->in = -1;
		return 0;
	}
	if (c->escape && memchr(input, CONSOLE_ESCAPE, (size_t)count))
		return -1;
	return (int)count;
}

static bool has_output(struct console *c)
{
	bool some;

	pthread_mutex_lock(&c->lock);
	some = c->used > 0;
	pthread_mutex_unlock(&c->lock);
	return some;
}

int console_poll(struct console *c, const int others[2], uint8_t *input, size_t space)
{
	struct pollfd fds[6] = {
		{ .fd = c->wake, .events = POLLIN },
		{ .fd = c->listener, .events = POLLIN },
		{ .fd = space ? c->in : -1, .events = POLLIN },
		{ .fd = has_output(c) ? c->out : -1, .events = POLLOUT },
		{ .fd = others[0], .events = POLLIN },
		{ .fd = others[1], .events = POLLIN },
	};
	uint64_t count;

	if (poll(fds, 6, -1) < 0)
		return 0;
	if (fds[0].revents && read(c->wake, &count, sizeof(count)) < 0)
		errno = 0; /* another wake came first */
	if (fds[1].revents)
		accept_client(c);
	if (fds[3].revents)
		move_output(c);
	if (fds[2].revents && c->in >= 0)
		return take_input(c, input, space);
	return 0;
}
