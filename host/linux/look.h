/* SPDX-License-Identifier: GPL-2.0-only */
/* For the demonstration of a hostile host (attack/): where a VM's secrets lie in physical memory. */
#ifndef NIE_LOOK_H
#define NIE_LOOK_H

#include <linux/types.h>

/* Physical address that nie.ko donated for `ipa` of the VM in slot `vm`; 0: none. */
phys_addr_t nie_look_page(u32 vm, u64 ipa);
/* Of a vCPU's saved registers; 0: none. */
phys_addr_t nie_look_context(u32 vm, u32 vcpu);
/* IPA of the middle of the VM's RAM; 0: no such VM, or not active. */
u64 nie_look_middle(u32 vm);

#endif
