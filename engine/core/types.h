/* SPDX-License-Identifier: Apache-2.0 */
/* Page numbers that cannot be confused: a physical one and a VM's intermediate physical one. */
#ifndef NIE_TYPES_H
#define NIE_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* Physical page number: PA / 4096. 0 means none: page 0 is never given to a VM. */
struct pfn {
	uint64_t n;
};

/* IPA page number of a VM: IPA / 4096. */
struct ifn {
	uint64_t n;
};

#endif
