// SPDX-License-Identifier: Apache-2.0
// mark_begin and mark_end: programs that begin and end a sample of ROW_LIFE (count.c says how).
#include "rows.h"

	.globl	_start
_start:
#ifdef END
	hint	#(65 + 2 * ROW_LIFE)
#else
	hint	#(64 + 2 * ROW_LIFE)
#endif
	mov	x0, #0
	mov	x8, #93			// exit [Linux, arch/arm64's system calls]
	svc	#0
