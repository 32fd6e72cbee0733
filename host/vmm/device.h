/* SPDX-License-Identifier: Apache-2.0 */
/* /dev/nie as plain functions: what an errno means becomes a sentence here (host/linux/nie_uapi.h). */
#ifndef NIEVM_DEVICE_H
#define NIEVM_DEVICE_H

#include "../linux/nie_uapi.h"

#include <stdbool.h>
#include <stdint.h>

/* A descriptor of /dev/nie, its version checked, or -1, said. */
int device_open(void);

/* A VM's descriptor, or -1, said. */
int device_create_vm(int device, const char *name, uint64_t ram_size, unsigned vcpus);

/* Copy to the VM's memory. 0 or FAILED, said; "what" names it in the error. */
int device_load(int vm, const char *what, uint64_t ipa, const void *data, uint64_t size);

/* A vCPU's descriptor, or -1, said. *state is its shared page. */
int device_create_vcpu(int vm, unsigned index, uint64_t entry, uint64_t x0,
		       struct nie_vcpu_state **state);

/* 0 or FAILED, said. */
int device_activate(int vm);

/* An error here is a bug of the monitor; it is said once a call. */
void device_irq_line(int vm, uint32_t intid, bool level);
void device_stop(int vm);

/* 0: look at the state's reason. Else errno; nothing is said. */
int device_run(int vcpu);

/* The first VM with an index >= info->index. 1: found; 0: none; -1: error, said. */
int device_list(int device, struct nie_vm_info *info);

/* Likewise by name. */
int device_find(int device, const char *name, struct nie_vm_info *info);

#endif
