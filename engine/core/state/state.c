/* SPDX-License-Identifier: Apache-2.0 */
#include "../state.h"

/* `granules` is placed last by the linker: its length depends on the machine's RAM. */
struct vm vms[NIE_MAX_VMS];
struct vcpu vcpus[NIE_MAX_VMS * NIE_MAX_VCPUS];
struct last lasts[NIE_MAX_VMS];
struct cpu cpus[NIE_MAX_CPUS];
struct config config;
