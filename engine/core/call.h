/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's calls, one file each in call/. Arguments are as in abi/nie.h, unchecked. Each returns an enum
 * nie_status; checks come first, in the order of spec/call/, and after them nothing can fail.
 */
#ifndef NIE_CALL_H
#define NIE_CALL_H

#include "state.h"

/* A status, and what goes back in x1 and x2 when it is NIE_OK. */
struct answer {
	uint64_t status;
	uint64_t x1;
	uint64_t x2;
};

/* Dispatch on x0 of the running host context; results go to x0.. */
void host_call(uint32_t cpu);

void call_version(uint32_t cpu);
/* vm < NIE_MAX_VMS */
void call_vm_info(uint32_t cpu);
uint64_t call_vm_create(uint64_t vm, uint64_t root, uint64_t base, uint64_t pages, uint64_t count);
uint64_t call_vm_activate(uint64_t vm);
uint64_t call_vm_stop(uint64_t vm);
struct answer call_vm_destroy(uint64_t vm);
uint64_t call_vcpu_create(uint64_t vm, uint64_t vcpu, uint64_t context, uint64_t run,
			  uint64_t entry, uint64_t argument);
struct answer call_vcpu_destroy(uint64_t vm, uint64_t vcpu);
/* On NIE_OK the vCPU runs on `cpu`, and x0 belongs to it. */
uint64_t call_vcpu_run(uint32_t cpu, uint64_t vm, uint64_t vcpu);
uint64_t call_table_add(uint64_t vm, uint64_t ipa, uint64_t level, uint64_t pa);
struct answer call_table_remove(uint64_t vm, uint64_t ipa, uint64_t level);
uint64_t call_page_add(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count);
uint64_t call_page_add_zero(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count, uint64_t level);
struct answer call_page_remove(uint64_t vm, uint64_t ipa, uint64_t count);
uint64_t call_page_shared_add(uint64_t vm, uint64_t ipa, uint64_t pa, uint64_t count);

#endif
