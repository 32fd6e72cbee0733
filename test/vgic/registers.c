// SPDX-License-Identifier: GPL-2.0-only
/* What the registers read and what writes do, without any entry. */
#include "test.h"

static void test_identity(void)
{
	struct vgic v;
	u64 value;

	fresh(&v, 3);
	CHECK(rd(&v, 0, NIE_GICD_BASE) == (2 | 1 << 4 | 1 << 6));
	CHECK((rd(&v, 0, NIE_GICD_BASE + 4) & 0x1f) == VGIC_BANKS - 1);
	CHECK((rd(&v, 0, NIE_GICD_BASE + 0xffe8) >> 4 & 15) == 3);
	CHECK((rd(&v, 0, NIE_GICR_BASE + 0xffe8) >> 4 & 15) == 3);
	CHECK(vgic_read(&v, 0, NIE_GICR_BASE + NIE_GICR_STRIDE + 8, 8, &value));
	CHECK(value == (1ULL << 32 | 1 << 8));
	CHECK(vgic_read(&v, 0, NIE_GICR_BASE + 2 * NIE_GICR_STRIDE + 8, 8, &value));
	CHECK(value == (2ULL << 32 | 2 << 8 | 1 << 4)); /* the last one says so */
	CHECK(rd(&v, 0, NIE_GICR_BASE + 0x14) == 0);    /* GICR_WAKER: awake */
}

static void test_outside(void)
{
	struct vgic v;
	u64 value;
	u32 mask;

	fresh(&v, 1);
	CHECK(!vgic_read(&v, 0, NIE_GICD_BASE - 4, 4, &value));
	CHECK(!vgic_read(&v, 0, NIE_GICD_BASE + NIE_GICD_SIZE, 4, &value));
	CHECK(!vgic_read(&v, 0, NIE_GICR_BASE + NIE_GICR_STRIDE, 4, &value));
	CHECK(!vgic_write(&v, 0, 0x09000000, 4, 1, &mask));
	CHECK(vgic_read(&v, 0, NIE_GICR_BASE + NIE_GICR_STRIDE - 4, 4, &value) && value == 0);
	/* Widths and alignments that no register has: read as zero, ignored. */
	CHECK(vgic_read(&v, 0, NIE_GICD_BASE, 1, &value) && value == 0);
	CHECK(vgic_read(&v, 0, NIE_GICD_BASE, 2, &value) && value == 0);
	CHECK(vgic_read(&v, 0, NIE_GICD_BASE + 2, 4, &value) && value == 0);
	CHECK(vgic_read(&v, 0, NIE_GICD_BASE + NIE_GICD_SIZE - 4, 8, &value) && value == 0);
	CHECK(vgic_write(&v, 0, NIE_GICD_BASE, 2, 0, &mask));
	CHECK(rd(&v, 0, NIE_GICD_BASE) & 2);
}

static void test_bits(void)
{
	struct vgic v;

	fresh(&v, 2);
	wr(&v, 0, NIE_GICD_BASE + 0x104, 0xf0);
	wr(&v, 0, NIE_GICD_BASE + 0x184, 0x30);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x104) == 0xc0);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x100) == 0); /* bank 0 is in the redistributors */
	wr(&v, 1, SGI_FRAME(1) + 0x100, 0xffff);
	CHECK(rd(&v, 0, SGI_FRAME(1) + 0x100) == 0xffff);
	CHECK(rd(&v, 0, SGI_FRAME(0) + 0x100) == 0);
	CHECK(rd(&v, 0, SGI_FRAME(0) + 0x104) == 0); /* and no other bank is there */
	wr(&v, 0, NIE_GICD_BASE + 0x208, 1);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x288) == 1);
	wr(&v, 0, NIE_GICD_BASE + 0x288, 1);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x208) == 0);
	wr(&v, 0, NIE_GICD_BASE + 0x304, 2);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x384) == 2);
	wr(&v, 1, NIE_GICD_BASE + 0x304, 2);
	CHECK(v.spi[0].held[0] == 2 && v.spi[0].held[1] == 0); /* it stays with the first */
	wr(&v, 1, NIE_GICD_BASE + 0x384, 2);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x304) == 0 && v.spi[0].held[0] == 0);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x84) == ~0u); /* all in group 1 */
}

static void test_fields(void)
{
	struct vgic v;
	u64 value;
	u32 mask;

	fresh(&v, 2);
	wr(&v, 0, NIE_GICD_BASE + 0x420, 0xffa0a7a8);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x420) == 0xf8a0a0a8);
	CHECK(vgic_write(&v, 0, NIE_GICD_BASE + 0x422, 1, 0x50, &mask));
	CHECK(vgic_read(&v, 0, NIE_GICD_BASE + 0x422, 1, &value) && value == 0x50);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0x420) == 0xf850a0a8);
	wr(&v, 0, NIE_GICD_BASE + 0xc08, 0x80000002);
	CHECK(rd(&v, 0, NIE_GICD_BASE + 0xc08) == 0x80000002);
	CHECK(v.spi[0].edge == 0x8001);
	CHECK(rd(&v, 0, SGI_FRAME(0) + 0xc00) == 0xaaaaaaaa);
	wr(&v, 0, SGI_FRAME(0) + 0xc04, ~0u);
	CHECK(rd(&v, 0, SGI_FRAME(0) + 0xc04) == 0); /* PPIs stay levels */
	CHECK(vgic_write(&v, 0, NIE_GICD_BASE + 0x6000 + 8 * 40, 8, 1, &mask));
	CHECK(vgic_read(&v, 0, NIE_GICD_BASE + 0x6000 + 8 * 40, 8, &value) && value == 1);
	CHECK(v.spi[0].to[1] == 1u << 8 && !(v.spi[0].to[0] & 1u << 8));
	wr(&v, 0, NIE_GICD_BASE + 0x6000 + 8 * 40 + 4, 7); /* Aff3: nobody's */
	CHECK(v.spi[0].to[1] == 0);
}

void test_registers(void)
{
	run("identity", test_identity);
	run("outside", test_outside);
	run("bits", test_bits);
	run("fields", test_fields);
}
