/* SPDX-License-Identifier: Apache-2.0 */
/* The VMs' programs. Nothing outside of the section exists in a VM: no constants in memory, no library. */
#include "guests.h"
#include "../../abi/nie.h"

#define GUEST __attribute__((section(".guest"), noinline))

/* exits.S */
struct keep {
	uint64_t kind, address, code, value;
	uint64_t answer[4], loaded, esr;
};
enum kind { BY_HVC, BY_STORE, BY_LOAD = 5, BY_WFI = 9, BY_SPIN, BY_SGI, BY_TIMER, BY_SMC };
struct watch {
	uint64_t code, value, x[32], v[64], fpcr, fpsr;
} __attribute__((aligned(16)));
struct verified {
	uint64_t wrong, esr;
};
uint64_t guest_keep(uint64_t secret, struct keep *k);
void guest_watch(struct watch *w);
uint64_t guest_random(void);
uint64_t guest_fill(uint64_t page, uint64_t pattern);
struct verified guest_verify(uint64_t page, uint64_t pattern, uint64_t step);
void guest_run_code(uint64_t code, uint64_t x9, uint64_t x10);
uint64_t guest_load(uint64_t address, uint64_t *value);
uint64_t guest_call(uint64_t address, uint64_t *value);

/* `again`: the page was given up by this VM and not written since: zeros, or nothing yet. */
struct mind {
	uint64_t secret, wrong, again[SECRET_PAGES];
};

static GUEST uint64_t call(uint64_t x0, uint64_t x1, uint64_t x2)
{
	register uint64_t r0 __asm__("x0") = x0;
	register uint64_t r1 __asm__("x1") = x1;
	register uint64_t r2 __asm__("x2") = x2;
	register uint64_t r3 __asm__("x3") = 0;

	__asm__ volatile("smc #0" : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3) : : "memory");
	return r0;
}

static GUEST void fetch_anew(uint64_t from, uint64_t words)
{
	for (uint64_t i = 0; i < words; i++)
		__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb"
				 :
				 : "r"(from + 4 * i)
				 : "memory");
}

static GUEST uint64_t pattern(struct mind *m, uint64_t page)
{
	return m->secret + (page << 24);
}

static GUEST void refill(struct mind *m)
{
	m->secret = guest_random();
	for (uint64_t p = 0; p < SECRET_PAGES; p++) {
		if (m->again[p] == 0)
			guest_fill(DATA + p * 4096, pattern(m, p));
	}
}

static GUEST void verify(struct mind *m)
{
	for (uint64_t p = 0; p < SECRET_PAGES; p++) {
		uint64_t page = DATA + p * 4096;
		struct verified v = m->again[p] != 0 ? guest_verify(page, 0, 0)
						     : guest_verify(page, pattern(m, p), 1);

		m->wrong += v.wrong;
		if (m->again[p] != 0 && v.esr == 0 && guest_fill(page, pattern(m, p)) == 0)
			m->again[p] = 0;
	}
}

/* Registers that the program needs, or that an exit releases. */
static GUEST uint64_t kept_out(uint32_t n)
{
	uint32_t row = n & ~7U;

	return row == NUMBER(3, 0, 1, 0, 0) || n == NUMBER(3, 0, 12, 0, 0) ||
	       n == NUMBER(3, 0, 4, 2, 0) || n == NUMBER(3, 3, 4, 2, 1) ||
	       n == NUMBER(3, 0, 4, 3, 0) || row == NUMBER(3, 3, 14, 3, 0) ||
	       n == NUMBER(3, 0, 4, 6, 0) || row == NUMBER(3, 0, 12, 11, 0) ||
	       (row == NUMBER(3, 0, 12, 12, 0) && n != NUMBER(3, 0, 12, 12, 3));
}

static GUEST void spread(uint64_t secret)
{
	volatile uint32_t *code = (volatile uint32_t *)SCRATCH;
	const volatile struct list *list = &vm_list;
	uint64_t at = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		if (kept_out(list->number[i]))
			continue;
		code[at++] = 0x10000050; /* ADR X16, after the next: some cannot be written */
		code[at++] = MSR_X9 | list->number[i] << 5;
	}
	code[at++] = RET;
	fetch_anew(SCRATCH, at);
	guest_run_code(SCRATCH, secret, 0);
}

static GUEST void leave(struct mind *m, struct keep *k, uint64_t kind, uint64_t address)
{
	k->kind = kind;
	k->address = address;
	m->wrong += guest_keep(m->secret, k);
}

static GUEST void touch(struct mind *m, struct keep *k, uint64_t page)
{
	uint64_t address = WINDOW + page % WINDOW_PAGES * 4096;

	leave(m, k, BY_LOAD + 3, address + (m->secret & 0x1ff) * 8);
	if (address >= EXTRA && address < EXTRA + EXTRA_PAGES * 4096 && k->esr == 0)
		m->wrong += k->loaded != 0;
}

static GUEST void reopen(struct mind *m, uint64_t address)
{
	uint64_t status = call(NIE_VM_PAGE_REOPEN, address, 0);

	for (uint64_t p = 0; p < SECRET_PAGES; p++) {
		if (status == NIE_OK && address == DATA + p * 4096)
			m->again[p] = 1;
	}
}

static GUEST void obey_exit(struct mind *m, struct keep *k, uint64_t command, uint64_t x1,
			    uint64_t x2)
{
	uint64_t width = x1 & 3, device = DEVICE + (x1 & 0xff8);

	/* Above the bytes that are stored the register is secret. */
	k->code = width == 3 ? x2 : m->secret << (8 << width) | (x2 & ((1ULL << (8 << width)) - 1));
	if (command == KEEP_STORE)
		leave(m, k, BY_STORE + width, device);
	else if (command == KEEP_LOAD)
		leave(m, k, BY_LOAD + width, device);
	else if (command == KEEP_TOUCH)
		touch(m, k, x1);
	else if (command == KEEP_WAIT)
		leave(m, k, BY_WFI, 0);
	else if (command == KEEP_SPIN)
		leave(m, k, BY_SPIN, (x1 & 0xffff) + 1);
	k->code = x1;
	if (command == KEEP_SGI)
		leave(m, k, BY_SGI, 0);
	else if (command == KEEP_TIMER)
		leave(m, k, BY_TIMER, x2 & 3);
}

static GUEST void obey(struct mind *m, uint64_t command, uint64_t x1, uint64_t x2)
{
	if (command == KEEP_VERIFY)
		verify(m);
	else if (command == KEEP_ROTATE)
		refill(m);
	else if (command == KEEP_SPREAD)
		spread(m->secret);
	else if (command == KEEP_REOPEN)
		reopen(m, x1);
	else if (command == KEEP_FIRMWARE)
		call(x1, x2, 0);
	for (uint64_t n = 0; command == KEEP_WRITE && n < (x2 & 0xfff); n++) {
		uint64_t p = x1 >= BLOCK ? SECRET_PAGES : (x1 - DATA) / 4096;
		uint64_t esr = guest_fill(x1, pattern(m, p));

		if (p < SECRET_PAGES && esr == 0)
			m->again[p] = 0;
	}
}

GUEST void guest_keeper(uint64_t argument)
{
	struct mind m;
	struct keep k;
	uint64_t by = BY_HVC;

	m.wrong = 0;
	for (uint64_t p = 0; p < SECRET_PAGES; p++)
		m.again[p] = argument & 0;
	refill(&m);
	k.code = CODE_KEEPER;
	k.value = 0;
	for (;;) {
		leave(&m, &k, by, 0);

		uint64_t command = k.answer[0], x1 = k.answer[1], x2 = k.answer[2];

		obey_exit(&m, &k, command, x1, x2);
		obey(&m, command, x1, x2);
		by = command == KEEP_SMC ? BY_SMC : BY_HVC;
		k.code = command == KEEP_TELL ? CODE_SECRET : CODE_KEEPER;
		k.value = command == KEEP_TELL ? m.secret : m.wrong;
	}
}

static GUEST void show(const struct watch *w)
{
	const volatile uint64_t *from = (const volatile uint64_t *)w;

	for (uint64_t i = 0; i < sizeof(*w) / 8; i++)
		((volatile uint64_t *)(SHARED + 2048))[i] = from[i];
}

static GUEST void look(void)
{
	volatile uint32_t *code = (volatile uint32_t *)SCRATCH;
	const volatile struct list *list = &vm_list;
	uint64_t at = 0;

	for (uint32_t i = 0; i < list->count && i < 250; i++) {
		code[at++] = MRS_X9 | list->number[i] << 5;
		code[at++] = (uint32_t)STR_X9_X10;
	}
	code[at++] = RET;
	fetch_anew(SCRATCH, at);
	guest_run_code(SCRATCH, 0, SHARED);
}

GUEST void guest_watcher(uint64_t argument)
{
	struct watch w;
	uint64_t value = argument;

	for (;;) {
		w.code = CODE_WATCHER;
		w.value = value;
		guest_watch(&w);
		show(&w);
		if (w.x[0] == WATCH_LOOK)
			look();
		else if (w.x[0] == WATCH_READ)
			value = guest_load(w.x[1] & ~7ULL, (uint64_t *)(SHARED + 4088));
		else if (w.x[0] == WATCH_WRITE)
			value = guest_fill(w.x[1] & ~0xfffULL, w.x[2]);
		else
			__asm__ volatile("wfi");
	}
}

GUEST void guest_lister(uint64_t argument)
{
	struct watch w;
	uint64_t value = argument;

	w.code = CODE_LIST;
	for (uint32_t n = 0; n < 1 << 15; n++) {
		if ((n >> 13 & 1) != 0)
			continue;
		/* MRS X0; RET */
		*(volatile uint64_t *)SCRATCH = 0xd65f03c0ULL << 32 | 0xd5300000 | n << 5;
		fetch_anew(SCRATCH, 2);
		w.value = n;
		if (guest_call(SCRATCH, &value) == 0)
			guest_watch(&w);
	}
	w.value = ~0ULL;
	guest_watch(&w);
}
