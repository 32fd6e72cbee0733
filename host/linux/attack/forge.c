// SPDX-License-Identifier: GPL-2.0-only
/* Attacks by false answers: the same page twice, other data where the VM's were, an answer for its memory. */
#include "attack.h"
#include "lone.h"

static const u32 load_x1[] = { 0xf9400001 }; /* ldr x1, [x0] */

struct result attack_donate_twice(const struct target *t)
{
	struct lone l;
	s64 got = lone_create(&l, load_x1, 1, LONE_DATA);

	if (got == NIE_OK) {
		got = nie_call(NIE_PAGE_ADD_ZERO, LONE_VM, LONE_HOLE,
			       page_to_phys(l.page[LONE_ZERO]), 1, 3);
		lone_destroy(&l);
	}
	return (struct result){ NIE_E_OWNER, got };
}

/* Take the VM's page, fill it, give it back at the same place. */
struct result attack_forge_page(const struct target *t)
{
	struct lone l;
	s64 got = lone_create(&l, load_x1, 1, LONE_DATA);

	if (got != NIE_OK)
		return (struct result){ NIE_E_SPENT, got };
	got = nie_call(NIE_PAGE_REMOVE, LONE_VM, LONE_DATA, 1);
	if (got == NIE_OK)
		got = nie_call(NIE_PAGE_ADD_ZERO, LONE_VM, LONE_DATA,
			       page_to_phys(l.page[LONE_ZERO]), 1, 3);
	lone_destroy(&l);
	return (struct result){ NIE_E_SPENT, got };
}

/*
 * The VM loads from a page of its RAM that it was not given yet. The host answers as if it were a device:
 * if that worked, the VM would go on to its host call with the forged value.
 */
struct result attack_forge_answer(const struct target *t)
{
	struct lone l;
	s64 got = lone_create(&l, load_x1, 1, LONE_HOLE);

	if (got != NIE_OK)
		return (struct result){ NIE_EXIT_PAGE_MISSING, -got };
	got = lone_run(&l);
	if (got == NIE_EXIT_PAGE_MISSING) {
		WRITE_ONCE(l.run[RUN_IN_FLAGS], NIE_IN_ANSWER);
		WRITE_ONCE(l.run[RUN_IN_X0], 0xbad);
		got = lone_run(&l);
	}
	lone_destroy(&l);
	return (struct result){ NIE_EXIT_PAGE_MISSING, got };
}
