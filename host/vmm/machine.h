/* SPDX-License-Identifier: Apache-2.0 */
/* One VM: its descriptors, its UART and the threads of its vCPUs. */
#ifndef NIEVM_MACHINE_H
#define NIEVM_MACHINE_H

#include "console.h"
#include "image.h"
#include "options.h"
#include "uart.h"

#include "../../abi/nie.h"
#include "../linux/nie_uapi.h"

#include <pthread.h>

struct vcpu {
	struct machine *machine;
	int fd; /* -1: none */
	struct nie_vcpu_state *state;
	pthread_t thread;
	bool started;
};

struct machine {
	const struct options *options;
	int vm; /* descriptor, -1: none */
	struct uart uart;
	struct console console;
	struct vcpu vcpus[NIE_MAX_VCPUS];
	int ended;            /* eventfd: a vCPU thread has set status */
	pthread_mutex_t lock; /* of status */
	int status;           /* enum nievm_status, or RUNNING */
};

enum { RUNNING = -1 };

/* Make the VM and load it, up to activation. 0, or a status that is said; undo with machine_close. */
int machine_build(struct machine *m, const struct options *o);

/* Activate and start a thread a vCPU. 0 or FAILED, said. */
int machine_start(struct machine *m);

/* The VM is to end. The first status stays, but any is stronger than STOPPED. From any thread. */
void machine_end(struct machine *m, int status);

/* RUNNING, or how it ended. */
int machine_status(struct machine *m);

/* Stop the VM, wait for its threads, close everything: nie.ko then gives the memory back. */
void machine_close(struct machine *m);

/* The body of a vCPU's thread (vcpu.c). */
void *vcpu_thread(void *vcpu);

#endif
