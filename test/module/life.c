// SPDX-License-Identifier: Apache-2.0
/* Ends: by a signal, by STOP, by kill -9, by closing in any order; and two threads on one vCPU. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "test.h"

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void test_signal(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct machine m;

	sigaction(SIGALRM, &action, NULL);
	machine(&m, "signal", 1, guest_spin, guest_end);
	alarm(1);
	REFUSED(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN), EINTR);
	alarm(1);
	REFUSED(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN), EINTR); /* and it goes on afterwards */
	machine_end(&m);
}

struct runner {
	struct machine m;
	uint32_t vcpu;
	atomic_int result;
	pthread_t thread;
};

static void *run_vcpu(void *arg)
{
	struct runner *r = arg;

	r->result = ioctl(r->m.vcpu[r->vcpu], NIE_VCPU_DO_RUN) ? errno : 0;
	return NULL;
}

static bool is_running(const struct machine *m)
{
	struct nie_vm_info info;
	int i;

	for (i = 0; i < 200; i++) {
		if (ioctl(m->vm, NIE_VM_GET_INFO, &info) == 0 && info.running)
			return true;
		nap();
	}
	return false;
}

/* vCPU 0 spins, vCPU 1 is off: both leave RUN. */
static void test_stop(void)
{
	struct runner r[2] = { { .result = -1 }, { .result = -1, .vcpu = 1 } };
	int i;

	machine(&r[0].m, "stop", 2, guest_spin, guest_end);
	r[1].m = r[0].m;
	for (i = 0; i < 2; i++)
		CHECK(pthread_create(&r[i].thread, NULL, run_vcpu, &r[i]) == 0);
	CHECK(is_running(&r[0].m));
	nap();
	REFUSED(ioctl(r[0].m.vcpu[0], NIE_VCPU_DO_RUN), EBUSY);
	CHECK(r[0].result == -1 && r[1].result == -1);
	CHECK(ioctl(r[0].m.vm, NIE_VM_DO_STOP) == 0);
	for (i = 0; i < 2; i++)
		pthread_join(r[i].thread, NULL);
	CHECK(r[0].result == 0 && r[1].result == 0);
	CHECK(r[0].m.state->reason == NIE_UEXIT_STOPPED);
	CHECK(ioctl(r[0].m.vm, NIE_VM_DO_STOP) == 0);
	machine_end(&r[0].m);
}

static void test_kill(void)
{
	struct machine m;
	int i, status;
	pid_t pid = fork();

	if (pid == 0) {
		machine(&m, "killed", 1, guest_spin, guest_end);
		ioctl(m.vcpu[0], NIE_VCPU_DO_RUN);
		_exit(0);
	}
	for (i = 0; i < 200 && !listed("killed"); i++)
		nap();
	CHECK(listed("killed"));
	nap();
	CHECK(kill(pid, SIGKILL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	for (i = 0; i < 200 && listed("killed"); i++)
		nap();
	CHECK(!listed("killed"));
}

/* What is not listed is gone: its name is free. A large one takes a while to end. */
static void test_ending(void)
{
	int ready[2], status, vm;
	char byte;
	pid_t pid;

	CHECK(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		struct nie_create_vcpu vcpu = { .entry = RAM_BASE };

		vm = create("ending", 1, 256 << 20);
		status = ioctl(vm, NIE_VM_CREATE_VCPU, &vcpu) < 0 || ioctl(vm, NIE_VM_DO_ACTIVATE);
		status = write(ready[1], status ? "n" : "y", 1);
		pause();
		_exit(status);
	}
	CHECK(read(ready[0], &byte, 1) == 1 && byte == 'y');
	CHECK(listed("ending"));
	CHECK(kill(pid, SIGKILL) == 0);
	while (listed("ending"))
		;
	vm = create("ending", 1, RAM_SIZE);
	CHECK(vm >= 0);
	close(vm);
	close(ready[0]);
	close(ready[1]);
	CHECK(waitpid(pid, &status, 0) == pid);
}

/* A vCPU's descriptor keeps the VM, and its mapping keeps the descriptor. */
static void test_close(void)
{
	struct machine m;

	machine(&m, "close", 1, guest_talk, guest_end);
	close(m.vm);
	CHECK(listed("close"));
	CHECK(ioctl(m.vcpu[0], NIE_VCPU_DO_RUN) == 0 && m.state->reason == NIE_EXIT_HOST_CALL);
	close(m.vcpu[0]);
	CHECK(listed("close"));
	m.vcpus = 0;
	m.vm = -1;
	machine_end(&m);
	CHECK(!listed("close"));
}

void test_life(void)
{
	run("signal", test_signal);
	run("stop", test_stop);
	run("kill", test_kill);
	run("ending", test_ending);
	run("close", test_close);
}
