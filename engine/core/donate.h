/* SPDX-License-Identifier: Apache-2.0 */
/* Pages change hands between the host and a VM: granule table and host's stage 2 together. */
#ifndef NIE_DONATE_H
#define NIE_DONATE_H

#include "granule.h"

/*
 * count pages from p leave the host for `vm`: HOST => state(vm, key, key + 1, ...). Requires host_owns;
 * afterwards no walk and no TLB entry of the host reaches them.
 */
void donate(uint32_t vm, struct pfn p, uint64_t count, struct granule g);
/*
 * One page goes back: anything(vm) => HOST, zeroed. Requires that no walk or TLB entry of a VM reaches it,
 * and that the host does not map it.
 */
void give_back(uint32_t vm, struct pfn p);
/* The same for a page that the host maps already (SHARED, RUN): nothing is zeroed. */
void release(uint32_t vm, struct pfn p);

#endif
