/* SPDX-License-Identifier: Apache-2.0 */
/* A VM's IPA map, in bytes; the interrupt controller, which nie.ko emulates, is in nie_uapi.h. */
#ifndef NIEVM_LAYOUT_H
#define NIEVM_LAYOUT_H

#include "../linux/nie_uapi.h"

#include <stdint.h>

static const uint64_t UART_BASE = 0x09000000;
static const uint64_t RAM_BASE = 0x40000000;

enum {
	UART_SPI = 1,
	SPI_BASE = 32, /* INTID of SPI 0 */
	UART_INTID = SPI_BASE + UART_SPI,
	PAGE = 4096,
	BLOCK = 2 << 20, /* RAM comes in these; Linux wants its image aligned so */
	TREE_MAX = 64 << 10,
};

#endif
