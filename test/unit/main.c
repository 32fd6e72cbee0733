/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs all tests: a line for each that fails, then `N passed, N failed`. With an argument, writes there
 * a line `CALL STATUS` for each pair that was reached.
 */
#include "vm.h"
#include <stdio.h>
#include <string.h>

#define EACH_FILE(X) \
	X(build) X(pages) X(run) X(world) X(psci) X(mmio) X(sysreg) X(host) X(boot) X(measure)

#define DECLARE(file)                            \
	extern const struct test tests_##file[]; \
	extern const size_t tests_##file##_count;
EACH_FILE(DECLARE)

bool check_failed;
static uint32_t passed, failed;
static const char *current;
static FILE *pairs;

void check_report(const char *file, int line, const char *text)
{
	check_failed = true;
	printf("  %s:%d: not so: %s\n", file, line, text);
}

void check_equal(const char *file, int line, const char *text, uint64_t is, uint64_t want)
{
	if (is == want)
		return;
	check_failed = true;
	printf("  %s:%d: %s is %#lx, not %#lx\n", file, line, text, is, want);
}

static void note(const char *call, const char *status)
{
	if (pairs != NULL)
		fprintf(pairs, "NIE_%s NIE_%s%s\n", call, strcmp(status, "OK") == 0 ? "" : "E_",
			status);
}

void refused(const char *call, uint64_t id, const char *name, uint64_t status, const char *why,
	     const uint64_t args[6])
{
	static struct vm old_vms[NIE_MAX_VMS];
	static struct vcpu old_vcpus[NIE_MAX_VMS * NIE_MAX_VCPUS];
	static struct granule old_granules[RAM_PAGES];
	uint32_t before = fake_violations;
	uint64_t is;
	bool ok;

	memcpy(old_vms, vms, sizeof(vms));
	memcpy(old_vcpus, vcpus, sizeof(vcpus));
	memcpy(old_granules, granules, sizeof(old_granules));
	memset(&fake_counts, 0, sizeof(fake_counts));
	is = hvc(0, id, args);
	ok = is == status && fake_violations == before;
	ok = ok && fake_counts.changes == 0 && fake_counts.firmware == 0;
	ok = ok && memcmp(old_vms, vms, sizeof(vms)) == 0;
	ok = ok && memcmp(old_vcpus, vcpus, sizeof(vcpus)) == 0;
	ok = ok && memcmp(old_granules, granules, sizeof(old_granules)) == 0;
	passed += ok;
	failed += !ok;
	note(call, name);
	if (!ok)
		printf("FAILED %s: %s %s (%s): status %lu, want %lu, %u changes\n", current, call,
		       name, why, is, status, fake_counts.changes);
}

uint64_t granted(const char *file, int line, const char *call, uint64_t id, const uint64_t args[6])
{
	uint64_t status = hvc(0, id, args);

	/* Once a vCPU runs here, x0 is its own. */
	if (cpus[0].vm == CPU_HOST)
		check_equal(file, line, call, status, NIE_OK);
	note(call, "OK");
	return cpus[0].x[1];
}

static void run_file(const struct test *tests, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		check_failed = false;
		current = tests[i].name;
		start();
		tests[i].body();
		if (fake_violations != 0)
			check_failed = true;
		if (check_failed)
			printf("FAILED %s\n", current);
		passed += !check_failed;
		failed += check_failed;
	}
}

int main(int argc, char **argv)
{
	if (argc > 1)
		pairs = fopen(argv[1], "w");
#define RUN_FILE(file) run_file(tests_##file, tests_##file##_count);
	EACH_FILE(RUN_FILE)
	if (pairs != NULL)
		fclose(pairs);
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
