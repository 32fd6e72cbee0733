/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's paths, between markers that count.so sees: host and guest without a kernel. */
#include "../qemu/vm.h"
#include "rows.h"

/* HINT #(64 + 2 * row) and the next; between them the one instruction that is measured. */
#define SAMPLE(row, instruction, ...)                             \
	__asm__ volatile("hint #(64 + 2 * %c[r])\n\t" instruction \
			 "\n\thint #(65 + 2 * %c[r])" __VA_ARGS__)

#define GIB   (1ULL << 30)
#define GUEST __attribute__((section(".guest"), noinline))

/* A call of the VM by HVC or SMC: x0 is replaced. */
#define GUEST_CALL(row, instruction, function)                                  \
	for (uint32_t i = 0; i < SAMPLES; i++) {                                \
		register uint64_t r0 __asm__("x0") = function;                  \
		SAMPLE(row, instruction, : "+r"(r0) : [r] "i"(row) : "memory"); \
	}

/* Pages that the guest touches, 2 MiB after 2 MiB behind the first; two VMs together have SAMPLES of them. */
enum { DEMAND_BLOCKS = 4, DEMAND_VMS = 2 };
_Static_assert(DEMAND_BLOCKS *DEMAND_VMS * 512 == SAMPLES, "one sample a page");

static GUEST void say_done(void)
{
	register uint64_t r0 __asm__("x0") = NIE_VM_HOST_CALL;
	register uint64_t r1 __asm__("x1") = REPORT_DONE;

	__asm__ volatile("hvc #0" : "+r"(r0) : "r"(r1) : "x2", "x3", "memory");
}

static GUEST void guest_bench(uint64_t argument)
{
	(void)argument;
	GUEST_CALL(ROW_VM_VERSION, "hvc #0", NIE_VM_VERSION);
	GUEST_CALL(ROW_VM_PSCI, "smc #0", 0x84000000);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		uint32_t value;

		SAMPLE(ROW_VM_EXIT, "ldr %w0, [%1]", : "=r"(value) : "r"(DEVICE),
		       [r] "i"(ROW_VM_EXIT) : "memory");
	}
	say_done();
}

static GUEST void guest_toucher(uint64_t argument)
{
	(void)argument;
	for (uint64_t at = WINDOW + MIB2; at < WINDOW + (DEMAND_BLOCKS + 1) * MIB2; at += PAGE)
		SAMPLE(ROW_PAGE_DEMAND,
		       "str xzr, [%0]", : : "r"(at), [r] "i"(ROW_PAGE_DEMAND) : "memory");
	say_done();
}

static GUEST void guest_load_for_ever(uint64_t argument)
{
	(void)argument;
	for (;;)
		(void)*(volatile uint32_t *)DEVICE;
}

#define HOST_CALL(row, ...) HOST_CALL_(row, __VA_ARGS__, 0, 0, 0, 0, 0)
#define HOST_CALL_(row, f, a, b, c, d, e, ...)                                            \
	({                                                                                \
		register uint64_t r0 __asm__("x0") = f;                                   \
		register uint64_t r1 __asm__("x1") = a;                                   \
		register uint64_t r2 __asm__("x2") = b;                                   \
		register uint64_t r3 __asm__("x3") = c;                                   \
		register uint64_t r4 __asm__("x4") = d;                                   \
		register uint64_t r5 __asm__("x5") = e;                                   \
		SAMPLE(row, "hvc #0", : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r4), \
		       "+r"(r5) : [r] "i"(row) : "memory");                               \
		CHECK_EQ(r0, NIE_OK);                                                     \
	})

/* A page is given when the guest touches its IPA; at the end all are taken back. */
static void pages_on_demand(uint32_t i)
{
	uint64_t pa = pages(DEMAND_BLOCKS * 512, MIB2), first = WINDOW + MIB2;

	vm_create(i, 1);
	vm_load(i);
	for (uint64_t b = 1; b <= DEMAND_BLOCKS; b++)
		vm_table(i, WINDOW + b * MIB2, 3);
	vm_vcpu(i, 0, guest_toucher, 0);
	CHECK_EQ(CALL(VM_ACTIVATE, i), NIE_OK);
	for (uint64_t n = 0; n < DEMAND_BLOCKS * 512; n++) {
		CHECK_EQ(CALL(VCPU_RUN, i, 0), NIE_OK);
		CHECK_EQ(out(i, 0, RUN_OUT_REASON), NIE_EXIT_PAGE_MISSING);
		CHECK_EQ(out(i, 0, RUN_OUT_IPA), first + n * PAGE);
		CHECK_EQ(CALL(PAGE_ADD_ZERO, i, first + n * PAGE, pa + n * PAGE, 1, 3), NIE_OK);
	}
	expect_report(i, 0, REPORT_DONE);
	for (uint64_t n = 0; n < DEMAND_BLOCKS * 512; n++)
		HOST_CALL(ROW_PAGE_REMOVE, NIE_PAGE_REMOVE, i, first + n * PAGE, 1);
}

TEST(bench_paths)
{
	for (uint32_t i = 0; i < SAMPLES; i++)
		HOST_CALL(ROW_HOST_NULL, NIE_VERSION);
	vm_start(0, 1, guest_bench, 0);
	in(0, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
	for (uint32_t i = 0; i < SAMPLES; i++) {
		CHECK_EQ(CALL(VCPU_RUN, 0, 0), NIE_OK);
		CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_MMIO_READ);
	}
	expect_report(0, 0, REPORT_DONE);
}

TEST(bench_pages)
{
	for (uint32_t i = 0; i < DEMAND_VMS; i++)
		pages_on_demand(i);
	/* The IPAs are Spent afterwards: each VM has them once. */
	for (uint32_t n = 0; n < DEMAND_VMS; n++) {
		uint64_t range = pages(512, MIB2), ipa = WINDOW + (DEMAND_BLOCKS + 1) * MIB2;

		vm_table(n, ipa, 3);
		HOST_CALL(ROW_RANGE_ADD, NIE_PAGE_ADD_ZERO, n, ipa, range, 512, 3);
		HOST_CALL(ROW_RANGE_TAKE, NIE_PAGE_REMOVE, n, ipa, 512);
	}
}

/* Pages of VM 0 that are given and taken while `vms` VMs exist, each IPA once: all of its window but the first 2 MiB. */
static void pages_of_many(void)
{
	for (uint64_t ipa = WINDOW + MIB2; ipa < WINDOW + WINDOW_PAGES * PAGE; ipa += MIB2) {
		uint64_t pa = pages(512, MIB2);

		vm_table(0, ipa, 3);
		for (uint64_t at = 0; at < MIB2; at += PAGE)
			HOST_CALL(ROW_PAGE_ADD, NIE_PAGE_ADD_ZERO, 0, ipa + at, pa + at, 1, 3);
		for (uint64_t at = 0; at < MIB2; at += PAGE)
			HOST_CALL(ROW_PAGE_REMOVE, NIE_PAGE_REMOVE, 0, ipa + at, 1);
	}
}

static void with_vms(uint64_t vms)
{
	vm_start(0, 1, guest_load_for_ever, 0);
	in(0, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
	for (uint64_t i = 1; i < vms; i++)
		CHECK_EQ(CALL(VM_CREATE, i, page(), WINDOW, WINDOW_PAGES, 1), 0);
	for (uint32_t i = 0; i < SAMPLES; i++)
		HOST_CALL(ROW_HOST_NULL, NIE_VERSION);
	for (uint32_t i = 0; i < SAMPLES; i++)
		HOST_CALL(ROW_RUN, NIE_VCPU_RUN, 0, 0);
	pages_of_many();
	for (uint64_t i = 1; i < vms; i++) {
		CHECK_EQ(CALL(VM_STOP, i), NIE_OK);
		CHECK_EQ(CALL(VM_DESTROY, i), NIE_OK);
	}
}

TEST(bench_vms_1)
{
	with_vms(1);
}
TEST(bench_vms_2)
{
	with_vms(2);
}
TEST(bench_vms_4)
{
	with_vms(4);
}
TEST(bench_vms_8)
{
	with_vms(8);
}
TEST(bench_vms_16)
{
	with_vms(16);
}
TEST(bench_vms_32)
{
	with_vms(32);
}
TEST(bench_vms_64)
{
	with_vms(64);
}

/* IPAs outside the window that a table of level 2, or one of level 3 too, covers. */
#define UNDER_LEVEL2 (2 * GIB)
#define UNDER_LEVEL3 (3 * GIB)

#define GUEST_READS(row, at)                                                                    \
	for (uint32_t i = 0; i < SAMPLES; i++) {                                                \
		uint32_t value;                                                                 \
		SAMPLE(row, "ldr %w0, [%1]", : "=r"(value) : "r"(at), [r] "i"(row) : "memory"); \
	}

static GUEST void guest_holes(uint64_t argument)
{
	(void)argument;
	GUEST_READS(ROW_HOLE, DEVICE);
	GUEST_READS(ROW_HOLE + 1, UNDER_LEVEL2);
	GUEST_READS(ROW_HOLE + 2, UNDER_LEVEL3);
	say_done();
}

TEST(bench_depth)
{
	vm_create(0, 1);
	vm_load(0);
	vm_table(0, UNDER_LEVEL2, 2);
	vm_table(0, UNDER_LEVEL3, 2);
	vm_table(0, UNDER_LEVEL3, 3);
	vm_vcpu(0, 0, guest_holes, 0);
	CHECK_EQ(CALL(VM_ACTIVATE, 0), NIE_OK);
	in(0, 0, RUN_IN_FLAGS, NIE_IN_ANSWER);
	for (uint32_t i = 0; i < 3 * SAMPLES; i++) {
		CHECK_EQ(CALL(VCPU_RUN, 0, 0), NIE_OK);
		CHECK_EQ(out(0, 0, RUN_OUT_REASON), NIE_EXIT_MMIO_READ);
	}
	expect_report(0, 0, REPORT_DONE);
}
