// SPDX-License-Identifier: Apache-2.0
/* The VM's device tree, read back with libfdt; the path given is where it is left for dtc. */
#include "../../host/vmm/fail.h"
#include "../../host/vmm/layout.h"
#include "../../host/vmm/tree.h"
#include "check.h"

#include <libfdt.h>
#include <string.h>

static uint8_t tree[TREE_MAX], again[TREE_MAX];
static const struct tree_spec spec = {
	.ram_size = 128 << 20,
	.vcpus = 4,
	.cmdline = "console=ttyAMA0 quiet",
	.initrd = 0x47000000,
	.initrd_size = 5000,
};

static const void *property(const char *path, const char *name, int size)
{
	int length;
	const void *value = fdt_getprop(tree, fdt_path_offset(tree, path), name, &length);

	return value && length == size ? value : NULL;
}

static uint64_t word(const void *value, int index)
{
	return fdt64_ld((const fdt64_t *)value + index);
}

static void valid_and_the_same_each_time(void)
{
	CHECK(tree_build(tree, sizeof(tree), &spec) == OK);
	CHECK(fdt_check_full(tree, sizeof(tree)) == 0);
	CHECK(tree_build(again, sizeof(again), &spec) == OK);
	CHECK(memcmp(tree, again, sizeof(tree)) == 0);
}

static void memory_and_initrd(void)
{
	const void *reg = property("/memory@40000000", "reg", 16);
	const void *start = property("/chosen", "linux,initrd-start", 8);
	const void *end = property("/chosen", "linux,initrd-end", 8);

	CHECK(reg && word(reg, 0) == RAM_BASE && word(reg, 1) == spec.ram_size);
	CHECK(start && word(start, 0) == spec.initrd);
	CHECK(end && word(end, 0) == spec.initrd + spec.initrd_size);
	CHECK(property("/chosen", "bootargs", 22));
}

static void one_node_and_one_redistributor_a_vcpu(void)
{
	const void *reg = property("/intc@8000000", "reg", 32);

	CHECK(property("/cpus/cpu@3", "reg", 4));
	CHECK(fdt_path_offset(tree, "/cpus/cpu@4") == -FDT_ERR_NOTFOUND);
	CHECK(reg && word(reg, 2) == NIE_GICR_BASE && word(reg, 3) == 4 * NIE_GICR_STRIDE);
}

static void psci_by_smc(void)
{
	const char *method = property("/psci", "method", 4);
	const char *enable = property("/cpus/cpu@0", "enable-method", 5);

	CHECK(method && strcmp(method, "smc") == 0);
	CHECK(enable && strcmp(enable, "psci") == 0);
}

static void no_initrd_no_property(void)
{
	struct tree_spec bare = spec;

	bare.initrd_size = 0;
	CHECK(tree_build(again, sizeof(again), &bare) == OK);
	CHECK(!fdt_getprop(again, fdt_path_offset(again, "/chosen"), "linux,initrd-start", NULL));
}

static void command_line_too_long(void)
{
	static char text[TREE_MAX];
	struct tree_spec longer = spec;

	memset(text, 'x', sizeof(text) - 1);
	longer.cmdline = text;
	CHECK(tree_build(again, sizeof(again), &longer) == FAILED);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(valid_and_the_same_each_time),
		TEST(memory_and_initrd),
		TEST(one_node_and_one_redistributor_a_vcpu),
		TEST(psci_by_smc),
		TEST(no_initrd_no_property),
		TEST(command_line_too_long),
	};
	int status = check_all(tests, sizeof(tests) / sizeof(tests[0]));
	FILE *out = argc > 1 ? fopen(argv[1], "wb") : NULL;

	if (out && (fwrite(tree, fdt_totalsize(tree), 1, out) != 1 || fclose(out) != 0))
		return 1;
	return status;
}
