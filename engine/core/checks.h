/* SPDX-License-Identifier: Apache-2.0 */
/* Checks that several calls share. Each has one status; NIE_OK lets the call go on. */
#ifndef NIE_CHECKS_H
#define NIE_CHECKS_H

#include "stage2.h"
#include "state.h"

/* NIE_E_VM, NIE_E_VM_STATE: the VM exists and is in one of two states. */
uint32_t check_vm(uint64_t vm, uint32_t state, uint32_t or_state);
/* NIE_E_ALIGN, NIE_E_COUNT, NIE_E_IPA: a range of pages in a VM's IPA space. */
uint32_t check_ipa_range(uint64_t ipa, uint64_t count);
/* NIE_E_WINDOW: the range lies in the VM's RAM window. */
uint32_t check_window(uint32_t vm, uint64_t page, uint64_t count);
/* NIE_E_ALIGN, NIE_E_COUNT, NIE_E_PA, NIE_E_OWNER: pages that the host may hand over. */
uint32_t check_donation(uint64_t pa, uint64_t count);
/* The three above: pages that the host may hand over for a range of the RAM window. */
uint32_t check_placement(uint32_t vm, uint64_t ipa, uint64_t pa, uint64_t count);
/* NIE_E_NO_TABLE, NIE_E_MAPPED, NIE_E_SPENT: count entries of a table at `level` are Empty. */
uint32_t check_empty(uint32_t vm, uint64_t page, uint32_t level, uint64_t count);

#endif
