/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One random host program. Everything that it does follows from the seed and from what it sees; a victim's secret
 * comes from the machine's entropy (RNDR), in which two runs of the same program differ.
 */
#include "steps.h"

/* test/isolation/run writes them after the test's name. */
extern const char test_name[];
enum {
	MARK = sizeof("nie-test-name:") - 1,
	AT_SEED = MARK + 64,
	AT_STEPS = AT_SEED + 8,
	AT_TELL = AT_SEED + 16
};

static uint64_t parameter(uint64_t at)
{
	uint64_t value = 0;

	for (uint64_t i = 0; i < 8; i++)
		value |= (uint64_t)((const volatile uint8_t *)test_name)[at + i] << 8 * i;
	return value;
}

/* host.c ends a test with it; this one ends before. */
void vms_destroy(void)
{
}

static _Noreturn void end(void)
{
	print("verdict: done\n");
	for (;;)
		__asm__ volatile("wfi");
}

/* Out of 100. No table of functions: a relocation each. */
static void one_step(uint64_t pick, uint32_t i)
{
	if (pick < 30)
		step_run(i);
	else if (pick < 35)
		step_build(i);
	else if (pick < 39)
		step_destroy(i);
	else if (pick < 48)
		step_wild(i);
	else if (pick < 62)
		step_pages(i);
	else if (pick < 72)
		step_race(i);
	else if (pick < 78)
		step_block(i);
	else if (pick < 83)
		step_steal(i);
	else if (pick < 90)
		step_probe(i);
	else if (pick < 95)
		step_scribble(i);
	else
		step_smc(i);
}

static void step(uint64_t number)
{
	uint64_t pick = draw(100);
	uint32_t i = (uint32_t)draw(TENANTS);

	/* The keeper is chosen more often than another. */
	if (draw(3) == 0 && keeper() != TENANTS)
		i = keeper();
	note(0, NOTE_STEP, (uint64_t[]){ number, pick, i }, 3);
	one_step(pick, i);
}

/* At the end a victim lives, with a secret that nobody has taken: the two runs must differ in it. */
static void live_victim(void)
{
	if (keeper() != TENANTS)
		destroy(keeper());
	if (tenant[0].state != NIE_VM_FREE)
		destroy(0);
	build(0, KEEPER, guest_keeper);
	for (uint32_t n = 0; n < 4; n++)
		enter_with(0, 0, KEEP_VERIFY, 0, 0);
	if (parameter(AT_TELL) != 0)
		enter_with(0, 0, KEEP_TELL, 0, 0);
	for (uint32_t n = 0; n < 2; n++)
		enter_with(0, 0, KEEP_VERIFY, 0, 0);
}

TEST(isolation)
{
	observe_start();
	seed_is(parameter(AT_SEED));
	build(0, KEEPER, guest_keeper);
	build(1, WATCHER, guest_watcher);
	for (uint64_t n = 0; n < parameter(AT_STEPS); n++)
		step(n);
	live_victim();
	step_probe(0);
	note_map();
	end();
}

static bool readable(uint64_t slot, uint32_t n)
{
	uint64_t value = 0;

	store(slot, (uint64_t)(uint32_t)RET << 32 | 0xd5300000 | n << 5);
	__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb"
			 :
			 : "r"(slot)
			 : "memory");
	return try_call(slot, &value) == 0;
}

/* Prints which registers the host and a VM can read. */
TEST(isolation_lists)
{
	uint64_t slot = pages(1, PAGE);

	for (uint32_t n = 0; n < 1 << 15; n++) {
		if ((n >> 13 & 1) == 0 && readable(slot, n)) {
			print("host ");
			print_hex(n);
			print("\n");
		}
	}
	((volatile struct list *)&host_list)->count = 1;
	((volatile struct list *)&host_list)->number[0] = NUMBER(3, 3, 13, 0, 2);
	observe_start();
	seed_is(1);
	build(0, WATCHER, guest_lister);
	for (;;) {
		CHECK_EQ(hvc(NIE_VCPU_RUN, 0, 0, 0, 0, 0, 0).x[0], NIE_OK);
		acknowledge();
		if (load(tenant[0].run + 8 * RUN_OUT_REASON) != NIE_EXIT_HOST_CALL)
			continue;
		if (load(tenant[0].run + 8 * (RUN_OUT_X0 + 2)) == ~0ULL)
			end();
		print("vm ");
		print_hex(load(tenant[0].run + 8 * (RUN_OUT_X0 + 2)));
		print("\n");
	}
}
