/* SPDX-License-Identifier: Apache-2.0 */
/* Enter a vCPU with a record from right to forged; what comes out must be what docs/CALLS.md says, and no more. */
#include "fuzz.h"

uint64_t records[NIE_MAX_VMS][NIE_MAX_VCPUS];

/*
 * Whose record is it? Mine, from before my call to now, when nobody else was calling for this vCPU when I began, and
 * nobody has begun since.
 */
static struct {
	uint64_t begun, under_way;
} epochs[NIE_MAX_VMS][NIE_MAX_VCPUS];

uint64_t epoch_start(uint64_t i, uint64_t k)
{
	uint64_t mine;

	if (i >= NIE_MAX_VMS || k >= NIE_MAX_VCPUS)
		return 0;
	__atomic_fetch_add(&epochs[i][k].under_way, 1, __ATOMIC_SEQ_CST);
	mine = __atomic_add_fetch(&epochs[i][k].begun, 1, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&epochs[i][k].under_way, __ATOMIC_SEQ_CST) == 1 ? mine : 0;
}

void epoch_end(uint64_t i, uint64_t k)
{
	if (i < NIE_MAX_VMS && k < NIE_MAX_VCPUS)
		__atomic_fetch_sub(&epochs[i][k].under_way, 1, __ATOMIC_SEQ_CST);
}

void vcpu_created(const struct call *c)
{
	if (c->a[0] < NIE_MAX_VMS && c->a[1] < NIE_MAX_VCPUS)
		records[c->a[0]][c->a[1]] = c->a[3] >= RECORDS ? c->a[3] : 0;
}

static uint64_t list_register(struct worker *w)
{
	if (chance(w, 85))
		return 0;
	if (chance(w, 30))
		return next(w);
	/* Pending or active, group 1, a software or private interrupt; at times the timer's. */
	if (chance(w, 20))
		return 1ULL << 62 | 1ULL << 61 | 1ULL << 60 | 27ULL << 32 | 27;
	return (1 + below(w, 3)) << 62 | 1ULL << 60 | below(w, 40);
}

static void write_record(struct worker *w, uint64_t record)
{
	if (record == 0 || chance(w, 40))
		return;
	try_store(record + 8 * RUN_IN_FLAGS, chance(w, 70) ? NIE_IN_ANSWER : next(w));
	for (uint32_t i = 0; i < 4; i++)
		try_store(record + 8 * (RUN_IN_X0 + i), next(w) >> below(w, 64));
	try_store(record + 8 * RUN_IN_ICH_HCR, chance(w, 90) ? 0 : next(w));
	for (uint32_t i = 0; i < NIE_LRS; i++)
		try_store(record + 8 * (RUN_IN_LR0 + i), list_register(w));
}

/* The words that this kind of exit fills; all others of the kind are 0. */
static void check_record(struct worker *w, const uint64_t *out)
{
	uint64_t reason = out[RUN_OUT_REASON];
	bool mmio = reason == NIE_EXIT_MMIO_READ || reason == NIE_EXIT_MMIO_WRITE;
	bool value = reason == NIE_EXIT_MMIO_WRITE || reason == NIE_EXIT_SGI ||
		     reason == NIE_EXIT_CPU_ON;

	if (reason == 0 || reason >= EXITS)
		broken(w, "reason of an exit", reason, 0);
	if (!mmio && reason != NIE_EXIT_PAGE_MISSING && out[RUN_OUT_IPA] != 0)
		broken(w, "an IPA for an exit", out[RUN_OUT_IPA], reason);
	if ((reason == NIE_EXIT_PAGE_MISSING && out[RUN_OUT_IPA] % PAGE != 0) ||
	    out[RUN_OUT_IPA] >> NIE_IPA_BITS != 0)
		broken(w, "IPA of an exit", out[RUN_OUT_IPA], reason);
	if (mmio != (out[RUN_OUT_WIDTH] != 0) || out[RUN_OUT_WIDTH] > 8)
		broken(w, "width of an exit", out[RUN_OUT_WIDTH], reason);
	if (!value && out[RUN_OUT_VALUE] != 0)
		broken(w, "a value for an exit", out[RUN_OUT_VALUE], reason);
	if (mmio && out[RUN_OUT_WIDTH] < 8 && out[RUN_OUT_VALUE] >> 8 * out[RUN_OUT_WIDTH] != 0)
		broken(w, "more than was written", out[RUN_OUT_VALUE], out[RUN_OUT_WIDTH]);
	for (uint32_t i = 0; i < 7; i++) {
		if (reason != NIE_EXIT_HOST_CALL && out[RUN_OUT_X0 + i] != 0)
			broken(w, "a register for an exit", out[RUN_OUT_X0 + i], reason);
	}
}

/* What the programs report: only workers and victims are believed. */
static void check_report(struct worker *w, uint64_t i, const uint64_t *out)
{
	const uint64_t *x = out + RUN_OUT_X0;

	if (out[RUN_OUT_REASON] != NIE_EXIT_HOST_CALL || i >= WORKERS)
		return;
	if (i < VICTIMS && x[1] == REPORT_INTACT)
		w->pace++;
	if (i < VICTIMS && x[1] == REPORT_INTACT && x[2] != 0)
		broken(w, "a victim counts wrong words or registers", x[2], 0);
	if (i >= VICTIMS && x[1] == REPORT_BAD)
		broken(w, "a worker finds", x[2], x[3]);
	for (uint32_t r = 3; r < 7; r++) {
		if (x[r] >> 48 == SECRET_MARK)
			broken(w, "a secret in the record", x[r], r);
	}
}

/* Most pages that a VM misses come. */
static void serve(struct worker *w, uint64_t i, uint64_t ipa)
{
	struct call c = { NIE_PAGE_ADD_ZERO, { i, ipa, pick_free_page(w), 1, 3 }, 0, 0 };

	if (chance(w, 20))
		return;
	if (make_call(w, &c).x[0] != NIE_E_NO_TABLE)
		return;
	c = (struct call){ NIE_TABLE_ADD, { i, ipa / MIB2 * MIB2, 3, pick_free_page(w) }, 0, 0 };
	make_call(w, &c);
}

static void judge(struct worker *w, uint64_t i, uint64_t k, uint64_t record, uint64_t begun)
{
	uint64_t out[RUN_OUT_END];

	for (uint32_t n = RUN_OUT_REASON; n < RUN_OUT_END; n++) {
		if (try_load(record + 8 * n, &out[n]) != 0)
			return;
	}
	/* Whoever noted this record may have been long at it: the page is another vCPU's by now. */
	if (owners[(record - RAM) / PAGE] != TAG(OWN_RUN, i, k))
		return;
	/* Last: all of it was read before anybody else began. */
	if (__atomic_load_n(&epochs[i][k].begun, __ATOMIC_SEQ_CST) != begun)
		return;
	check_record(w, out);
	w->exits[out[RUN_OUT_REASON]]++;
	check_report(w, i, out);
	if (out[RUN_OUT_REASON] == NIE_EXIT_PAGE_MISSING)
		serve(w, i, out[RUN_OUT_IPA]);
}

void run_vcpu(struct worker *w, uint64_t i, uint64_t k)
{
	bool known = i < NIE_MAX_VMS && k < NIE_MAX_VCPUS;
	uint64_t begun = epoch_start(i, k), record = known ? records[i][k] : 0, wrong = 0, status;
	struct call *c = &w->ring[w->count++ % RING];

	write_record(w, record);
	alarm(2 + below(w, chance(w, 20) ? 300 : 60));
	*c = (struct call){ NIE_VCPU_RUN, { i, k }, ~0ULL, 0 };
	status = run_with_pattern(i, k, (uint64_t)(w->cpu + 1) * 0x0101010100000000ULL, &wrong);
	c->status = status;
	acknowledge();
	alarm(0);
	slice(w);
	w->status[NIE_VCPU_RUN - NIE_VERSION][status < STATUSES ? status : 0]++;
	if (wrong != 0)
		broken(w, "registers of the host changed by VCPU_RUN", wrong, 0);
	if (status >= STATUSES)
		broken(w, "status of VCPU_RUN", status, 0);
	if (status == NIE_OK && record != 0 && begun != 0)
		judge(w, i, k, record, begun);
	epoch_end(i, k);
	state_seen(w, &(struct call){ NIE_VCPU_RUN, { i }, status, 0 });
}
