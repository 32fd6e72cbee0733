/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of nie.ko through /dev/nie: a program that runs in the host, under the engine. */
#ifndef TEST_MODULE_H
#define TEST_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../abi/nie.h"
#include "../../host/linux/nie_uapi.h"

enum { RAM_BASE = 0x40000000, RAM_SIZE = 0x400000 };

/* One test: passed when no check in it fails. */
void run(const char *name, void (*test)(void));
/* Prints the check, and errno, when it fails. */
void check(bool ok, const char *what, const char *file, int line);
#define CHECK(what) check(what, #what, __FILE__, __LINE__)
/* An ioctl that must fail with `error`. */
#define REFUSED(call, error) CHECK((call) == -1 && errno == (error))

/* A VM with vCPUs of which number 0 runs the code of guest.S between two labels. */
struct machine {
	int vm;
	int vcpu[NIE_MAX_VCPUS];
	uint32_t vcpus;
	struct nie_vcpu_state *state; /* of vCPU 0 */
};

extern int device;
int create(const char *name, uint32_t vcpus, uint64_t ram_size);
/* Made, loaded, activated. */
void machine(struct machine *m, const char *name, uint32_t vcpus, const char *from, const char *to);
/* All descriptors closed: it is gone. */
void machine_end(struct machine *m);
bool listed(const char *name);
/* Free memory of the host, KiB, when nothing more is coming back. */
long free_kib(void);

extern const char guest_spin[], guest_talk[], guest_devices[], guest_interrupts[], guest_end[];

void test_arguments(void);
void test_build(void);
void test_life(void);
void test_exits(void);

#endif
