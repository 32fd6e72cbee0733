/* SPDX-License-Identifier: Apache-2.0 */
/* VMs of the hostile host: built, run, judged and torn down. */
#ifndef TEST_QEMU_VM_H
#define TEST_QEMU_VM_H

#include "guest.h"
#include "host.h"

enum { VMS = 8, TABLES = 12 };

struct vm {
	uint64_t root, code, stacks, data,
		shared; /* PAs; code and data as many pages as guest.h says */
	uint64_t context[NIE_MAX_VCPUS], run[NIE_MAX_VCPUS];
	struct {
		uint64_t ipa, level, pa;
	} tables[TABLES];
	uint32_t table_count;
	uint32_t vcpus; /* 0: it does not exist */
};
extern struct vm vm[VMS];

/* BUILDING: root, the tables of the window's first 2 MiB and of SHARED(0). */
void vm_create(uint32_t i, uint32_t vcpus);
void vm_table(uint32_t i, uint64_t ipa, uint64_t level);
/* The guest programs, a stack page for each vCPU, DATA_PAGES at DATA. */
void vm_load(uint32_t i);
/* A page of the host at SHARED. */
void vm_share(uint32_t i);
/* vCPU k runs `program` with `argument` (32 bits). */
void vm_vcpu(uint32_t i, uint32_t k, guest_program *program, uint64_t argument);
/* All of it: vCPU 0 runs the program; the others are created too and stay off. ACTIVE. */
void vm_start(uint32_t i, uint32_t vcpus, guest_program *program, uint64_t argument);

uint64_t out(uint32_t i, uint32_t k, uint32_t word);
void in(uint32_t i, uint32_t k, uint32_t word, uint64_t value);
/* Enter until it exits for another reason than an interrupt; returns the reason. */
uint64_t enter(uint32_t i, uint32_t k);
/* Enter, and it must report `code`; returns what it reports with it. */
uint64_t expect_report(uint32_t i, uint32_t k, uint64_t code);

/* A VM that writes its memory and never leaves by itself; enter vCPU 0 of a VM on another CPU, which runs it at return
 * and ends with the exit's reason. */
void busy_vm(uint32_t i);
void run_on(uint32_t cpu, uint32_t i);
/* Wait until the guest has counted two more rounds at SHARED + 8 * k. */
void goes_on(uint32_t i, uint32_t k);

/* A VM with a secret in memory and registers that checks both for ever. */
void victim(uint32_t i);
/* Let it check: everything is as it left it, and the host cannot reach it. */
void victim_intact(uint32_t i);

/* Stop, take all back, destroy: each page that held data, a table or a context comes back zero. */
void vm_destroy(uint32_t i);
void vms_destroy(void);
/* Each call refused: the status, and the victim is intact. */
#define REFUSED(status, call, ...) CHECK_EQ(CALL(call, __VA_ARGS__), NIE_E_##status)

#endif
