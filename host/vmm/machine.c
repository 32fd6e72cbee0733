// SPDX-License-Identifier: Apache-2.0
/* One VM from its files to its end; see machine.h. */
#include "machine.h"
#include "device.h"
#include "fail.h"
#include "layout.h"
#include "tree.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Always in this order: the measurement depends on it. */
static int load(struct machine *m, const struct placement *p, const struct content *kernel,
		const struct content *initrd)
{
	static uint8_t tree[TREE_MAX] __attribute__((aligned(PAGE)));
	const struct tree_spec spec = {
		.ram_size = m->options->memory,
		.vcpus = m->options->vcpus,
		.cmdline = m->options->cmdline,
		.initrd = p->initrd,
		.initrd_size = p->initrd_size,
	};

	if (tree_build(tree, sizeof(tree), &spec) != OK)
		return FAILED;
	if (device_load(m->vm, "kernel", p->kernel, kernel->data, kernel->size) != OK)
		return FAILED;
	if (initrd->size &&
	    device_load(m->vm, "initramfs", p->initrd, initrd->data, initrd->size) != OK)
		return FAILED;
	return device_load(m->vm, "device tree", p->tree, tree, sizeof(tree));
}

static int create_vcpus(struct machine *m, const struct placement *p)
{
	unsigned i;

	for (i = 0; i < m->options->vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		/* The engine checks every entry; the VM replaces those after the first by CPU_ON. */
		v->fd = device_create_vcpu(m->vm, i, p->kernel, i ? 0 : p->tree, &v->state);
		if (v->fd < 0)
			return FAILED;
	}
	return OK;
}

static int create(struct machine *m, const struct placement *p, const struct content *kernel,
		  const struct content *initrd)
{
	const struct options *o = m->options;
	int device = device_open();

	if (device < 0)
		return FAILED;
	m->vm = device_create_vm(device, o->name, o->memory, o->vcpus);
	close(device);
	if (m->vm < 0 || load(m, p, kernel, initrd) != OK || create_vcpus(m, p) != OK)
		return FAILED;
	/* Only now is the name ours, and with it the socket's path. */
	if (console_open(&m->console, o->console, o->name) != OK)
		return FAILED;
	uart_init(&m->uart, m->vm, &m->console);
	return OK;
}

static void init(struct machine *m, const struct options *o)
{
	unsigned i;

	memset(m, 0, sizeof(*m));
	m->options = o;
	m->vm = -1;
	m->status = RUNNING;
	m->console.in = m->console.out = m->console.listener = m->console.wake = -1;
	pthread_mutex_init(&m->lock, NULL);
	for (i = 0; i < NIE_MAX_VCPUS; i++)
		m->vcpus[i] = (struct vcpu){ .machine = m, .fd = -1 };
}

int machine_build(struct machine *m, const struct options *o)
{
	struct content kernel = { 0 }, initrd = { 0 };
	struct placement p;
	int status = FAILED;

	init(m, o);
	m->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->ended < 0)
		return fail_errno("eventfd");
	if (content_open(&kernel, "kernel", o->kernel) == OK &&
	    (!o->initrd || content_open(&initrd, "initramfs", o->initrd) == OK) &&
	    place(&p, &kernel, &initrd, o->memory) == OK)
		status = create(m, &p, &kernel, &initrd);
	content_close(&kernel);
	content_close(&initrd);
	return status;
}

int machine_start(struct machine *m)
{
	unsigned i;

	if (device_activate(m->vm) != OK)
		return FAILED;
	for (i = 0; i < m->options->vcpus; i++) {
		struct vcpu *v = &m->vcpus[i];

		if (pthread_create(&v->thread, NULL, vcpu_thread, v) != 0)
			return fail("no thread for vCPU %u", i);
		v->started = true;
	}
	return OK;
}

void machine_end(struct machine *m, int status)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&m->lock);
	/* A vCPU may learn that the VM is stopped before the one that powered it off has said so. */
	if (m->status == RUNNING || m->status == STOPPED)
		m->status = status;
	pthread_mutex_unlock(&m->lock);
	if (write(m->ended, &one, sizeof(one)) < 0)
		return; /* only by overflow: it is readable then */
}

int machine_status(struct machine *m)
{
	int status;

	pthread_mutex_lock(&m->lock);
	status = m->status;
	pthread_mutex_unlock(&m->lock);
	return status;
}

void machine_close(struct machine *m)
{
	unsigned i;

	console_release(&m->console);
	if (m->vm >= 0)
		device_stop(m->vm);
	for (i = 0; i < NIE_MAX_VCPUS; i++) {
		struct vcpu *v = &m->vcpus[i];

		if (v->started)
			pthread_join(v->thread, NULL);
		if (v->state)
			munmap(v->state, PAGE);
		if (v->fd >= 0)
			close(v->fd);
	}
	if (m->vm >= 0)
		close(m->vm);
	console_close(&m->console);
	if (m->ended >= 0)
		close(m->ended);
}
