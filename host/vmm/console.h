/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other end of the VM's UART: this terminal, a file, a pseudo-terminal or a Unix socket.
 * vCPU threads put characters into a ring; the console's thread (console_poll) moves them out and
 * hands input over. Where nobody may be listening (pty, socket) the oldest output is lost; else a
 * full ring makes the VM wait.
 */
#ifndef NIEVM_CONSOLE_H
#define NIEVM_CONSOLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

/* Sockets and logs of VMs; the unit tests have their own. */
#ifndef NIEVM_DIRECTORY
#define NIEVM_DIRECTORY "/run/nievm"
#endif

enum { CONSOLE_RING = 64 << 10, CONSOLE_ESCAPE = 0x1d /* Ctrl-] */ };

struct console {
	int in, out;  /* -1: none; of a socket: the client, twice the same number */
	int listener; /* -1: not a socket */
	int wake;     /* eventfd: output to move, or room for input */
	bool lossy;   /* see above */
	bool escape;  /* a person types here: CONSOLE_ESCAPE stops the VM */
	bool raw;     /* saved is to be restored */
	struct termios saved;
	char path[64]; /* of the socket, to be removed; else empty */
	pthread_mutex_t lock;
	pthread_cond_t room;
	bool closing; /* no thread waits for room any more */
	size_t start, used;
	uint8_t ring[CONSOLE_RING];
};

/* spec: stdio, pty, socket, or a file's name. 0 or FAILED, said; then console_close does no harm. */
int console_open(struct console *c, const char *spec, const char *vm_name);

/* The path of a VM's console socket. */
void console_path(char *path, size_t size, const char *vm_name);

/* Make the directory of the sockets. 0 or FAILED, said. */
int console_directory(void);

/* Move what is there and flush, for at most some seconds, then close and restore the terminal. */
void console_close(struct console *c);

/* A character of the VM. From any thread. */
void console_put(struct console *c, uint8_t byte);

/* Make console_poll look again. From any thread. */
void console_wake(struct console *c);

/* From now on console_put never waits. */
void console_release(struct console *c);

/*
 * Wait for something to do, or for one of two other descriptors to be readable, then do it once.
 * At most `space` bytes of input go to `input`; returns how many, or -1 when the user typed the escape.
 */
int console_poll(struct console *c, const int others[2], uint8_t *input, size_t space);

/* Set a terminal to raw mode. False when it is none; else *saved is what to restore. */
bool terminal_raw(int fd, struct termios *saved);

#endif
