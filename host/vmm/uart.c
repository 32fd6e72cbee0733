// SPDX-License-Identifier: Apache-2.0
/* The VM's UART; see uart.h. */
#include "uart.h"
#include "device.h"
#include "layout.h"

void uart_init(struct uart *u, int vm, struct console *console)
{
	pl011_reset(&u->model);
	pthread_mutex_init(&u->lock, NULL);
	u->level = false;
	u->vm = vm;
	u->console = console;
}

/* Under the lock: two threads must not set the line in the wrong order. */
static void set_line(struct uart *u)
{
	bool level = pl011_interrupt(&u->model);

	if (level == u->level)
		return;
	u->level = level;
	device_irq_line(u->vm, UART_INTID, level);
}

uint64_t uart_read(struct uart *u, unsigned offset)
{
	unsigned before, after;
	uint32_t value;

	pthread_mutex_lock(&u->lock);
	before = pl011_space(&u->model);
	value = pl011_read(&u->model, offset);
	after = pl011_space(&u->model);
	set_line(u);
	pthread_mutex_unlock(&u->lock);
	if (before == 0 && after > 0)
		console_wake(u->console);
	return value;
}

void uart_write(struct uart *u, unsigned offset, uint64_t value)
{
	unsigned before, after;
	int sent;

	pthread_mutex_lock(&u->lock);
	before = pl011_space(&u->model);
	sent = pl011_write(&u->model, offset, (uint32_t)value);
	after = pl011_space(&u->model);
	set_line(u);
	pthread_mutex_unlock(&u->lock);
	if (before == 0 && after > 0)
		console_wake(u->console);
	if (sent != PL011_NOTHING_SENT)
		console_put(u->console, (uint8_t)sent);
}

unsigned uart_space(struct uart *u)
{
	unsigned space;

	pthread_mutex_lock(&u->lock);
	space = pl011_space(&u->model);
	pthread_mutex_unlock(&u->lock);
	return space;
}

void uart_receive(struct uart *u, const uint8_t *bytes, size_t count)
{
	size_t i;

	pthread_mutex_lock(&u->lock);
	for (i = 0; i < count; i++)
		pl011_receive(&u->model, bytes[i]);
	set_line(u);
	pthread_mutex_unlock(&u->lock);
}
