/* SPDX-License-Identifier: GPL-2.0-only */
/* What the interrupt controller's plain C needs, in the kernel and in test/vgic on any machine. */
#ifndef NIE_VGIC_PORT_H
#define NIE_VGIC_PORT_H

#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/bitops.h>
#include <linux/string.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
#define BIT(n)     (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define __ffs(x)   ((u32)__builtin_ctzl(x))
#endif

#endif
