// SPDX-License-Identifier: Apache-2.0
/* A vCPU's thread: run, serve the exit, run again. */
#include "device.h"
#include "fail.h"
#include "layout.h"
#include "machine.h"

#include <errno.h>
#include <string.h>

/* What the VM can do that nobody serves is its own fault: it is said, and ends the VM. */
static int unserved(const struct vcpu *v, const char *what)
{
	const struct nie_vcpu_state *s = v->state;

	fail("%s: vCPU %ld: %s of %u bytes at 0x%llx, where there is no device; VM stopped",
	     v->machine->options->name, (long)(v - v->machine->vcpus), what, s->width,
	     (unsigned long long)s->ipa);
	return UNSERVED;
}

static bool in_uart(uint64_t ipa)
{
	return ipa >= UART_BASE && ipa < UART_BASE + PL011_SIZE;
}

static int serve_read(struct vcpu *v)
{
	struct nie_vcpu_state *s = v->state;

	if (!in_uart(s->ipa))
		return unserved(v, "a read");
	s->answer[0] = uart_read(&v->machine->uart, (unsigned)(s->ipa - UART_BASE));
	return RUNNING;
}

static int serve_write(struct vcpu *v)
{
	struct nie_vcpu_state *s = v->state;

	if (!in_uart(s->ipa))
		return unserved(v, "a write");
	uart_write(&v->machine->uart, (unsigned)(s->ipa - UART_BASE), s->value);
	return RUNNING;
}

/* This monitor offers no calls: the answer is SMCCC's NOT_SUPPORTED. */
static int serve_host_call(struct vcpu *v)
{
	memset(v->state->answer, 0, sizeof(v->state->answer));
	v->state->answer[0] = UINT64_MAX;
	return RUNNING;
}

/* RUNNING, or the status that ends the VM. */
static int serve(struct vcpu *v)
{
	switch (v->state->reason) {
	case NIE_EXIT_MMIO_READ:
		return serve_read(v);
	case NIE_EXIT_MMIO_WRITE:
		return serve_write(v);
	case NIE_EXIT_HOST_CALL:
		return serve_host_call(v);
	case NIE_EXIT_SYSTEM_OFF:
		return OK;
	case NIE_EXIT_SYSTEM_RESET:
		return RESET;
	case NIE_UEXIT_STOPPED: /* if no vCPU of ours said why, someone else stopped it */
		return STOPPED;
	default:
		fail("%s: vCPU %ld: exit with reason %u at 0x%llx, which the monitor cannot serve",
		     v->machine->options->name, (long)(v - v->machine->vcpus), v->state->reason,
		     (unsigned long long)v->state->ipa);
		return UNSERVED;
	}
}

void *vcpu_thread(void *vcpu)
{
	struct vcpu *v = vcpu;
	int status = RUNNING, error;

	while (status == RUNNING) {
		error = device_run(v->fd);
		if (error == EINTR)
			continue;
		if (error) {
			errno = error;
			fail_errno("%s: vCPU %ld does not run", v->machine->options->name,
				   (long)(v - v->machine->vcpus));
			status = UNSERVED;
		} else {
			status = serve(v);
		}
	}
	machine_end(v->machine, status);
	return NULL;
}
