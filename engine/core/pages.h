/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a range of the host's pages, already donated, into a VM's stage 2. */
#ifndef NIE_PAGES_H
#define NIE_PAGES_H

#include "stage2.h"

/* Zero pages that the engine alone reaches, in memory too. */
void pages_scrub(struct pfn p, uint64_t count);
/* Entries of the last level for count pages from p at ipa; visible to walkers at return. */
void pages_map(uint32_t vm, struct ifn ipa, struct pfn p, uint64_t count, uint64_t attributes);

#endif
