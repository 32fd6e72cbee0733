/* SPDX-License-Identifier: Apache-2.0 */
/* The VM's UART: the model of a PL011 between the vCPU threads, the console and the interrupt line. */
#ifndef NIEVM_UART_H
#define NIEVM_UART_H

#include "console.h"
#include "pl011.h"

#include <pthread.h>

struct uart {
	struct pl011 model;
	pthread_mutex_t lock; /* of model and level */
	bool level; /* what the interrupt line was set to */
	int vm;
	struct console *console;
};

void uart_init(struct uart *u, int vm, struct console *console);

/* A vCPU's access at offset (bytes, < PL011_SIZE). */
uint64_t uart_read(struct uart *u, unsigned offset);
void uart_write(struct uart *u, unsigned offset, uint64_t value);

/* Characters that can be received now, and giving them: the console's thread only. */
unsigned uart_space(struct uart *u);
void uart_receive(struct uart *u, const uint8_t *bytes, size_t count);

#endif
