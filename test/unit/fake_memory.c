/* SPDX-License-Identifier: Apache-2.0 */
/* Physical memory: pages that exist once they are not zero. Each use is checked against prim.h. */
#include "fake.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct granule granules[GRANULES_MAX];
uint32_t fake_violations;
struct fake_counts fake_counts;

static uint64_t *memory[RAM_PAGES];
static struct {
	uint64_t page;
	uint64_t value;
	uint32_t i;
	bool armed;
} race;

void violation(const char *format, ...)
{
	va_list list;

	fake_violations++;
	if (fake_violations > 3)
		return;
	va_start(list, format);
	printf("  violation: ");
	vprintf(format, list);
	printf("\n");
	va_end(list);
}

static uint64_t *page_at(uint64_t page)
{
	uint64_t n = page - RAM_BASE;

	if (!is_ram(page)) {
		violation("page %#lx is not RAM", page);
		n = 0;
	}
	if (memory[n] == NULL)
		memory[n] = calloc(512, sizeof(uint64_t));
	return memory[n];
}

uint64_t peek(uint64_t page, uint32_t i)
{
	if (is_ram(page) && memory[page - RAM_BASE] == NULL)
		return 0;
	return page_at(page)[i];
}

void poke(uint64_t page, uint32_t i, uint64_t value)
{
	page_at(page)[i] = value;
}

static void forget(uint64_t page)
{
	if (!is_ram(page))
		violation("page %#lx is zeroed and is not RAM", page);
	else {
		free(memory[page - RAM_BASE]);
		memory[page - RAM_BASE] = NULL;
	}
}

bool page_is_zero(uint64_t page)
{
	for (uint32_t i = 0; i < 512; i++) {
		if (peek(page, i) != 0)
			return false;
	}
	return true;
}

void memory_reset(void)
{
	/* What the machine held before: every 16th page has something in it. */
	for (uint64_t n = 0; n < RAM_PAGES; n++) {
		forget(RAM_BASE + n);
		if (n % 16 == 0)
			poke(RAM_BASE + n, (uint32_t)n % 512, 0xdead0000 + n);
	}
	memset(meta, 0, sizeof(meta));
	race.armed = false;
}

void fake_race(uint64_t page, uint32_t i, uint64_t value)
{
	race.page = page;
	race.i = i;
	race.value = value;
	race.armed = true;
}

static void engine_page(const char *what, struct pfn page, uint32_t i)
{
	if (i > 511)
		violation("%s: word %u of page %#lx", what, i, page.n);
	if (is_ram(page.n) && meta[page.n - RAM_BASE].reach != 0)
		violation("%s: page %#lx is within others' reach", what, page.n);
}

uint64_t page_read(struct pfn page, uint32_t i)
{
	engine_page("page_read", page, i);
	return peek(page.n, i);
}

void page_write(struct pfn page, uint32_t i, uint64_t value)
{
	uint64_t old = peek(page.n, i);

	fake_counts.changes++;
	engine_page("page_write", page, i);
	poke(page.n, i, value);
	if (is_ram(page.n)) {
		meta[page.n - RAM_BASE].clean = false;
		meta[page.n - RAM_BASE].owner = 0;
		tlb_store(page.n, i, old, value);
	}
}

void page_zero(struct pfn page)
{
	fake_counts.changes++;
	engine_page("page_zero", page, 0);
	forget(page.n);
	if (!is_ram(page.n))
		return;
	if (meta[page.n - RAM_BASE].walk != 0)
		violation("page_zero: page %#lx may still be walked", page.n);
	meta[page.n - RAM_BASE].clean = false;
	meta[page.n - RAM_BASE].owner = 0;
}

void page_clean(struct pfn page)
{
	engine_page("page_clean", page, 0);
	if (is_ram(page.n))
		meta[page.n - RAM_BASE].clean = true;
}

static void host_page(const char *what, struct pfn page, uint32_t i)
{
	uint32_t state;

	if (i > 511)
		violation("%s: word %u of page %#lx", what, i, page.n);
	if (!is_ram(page.n)) {
		violation("%s: page %#lx is not RAM", what, page.n);
		return;
	}
	state = granules[page.n - RAM_BASE].state;
	if (state != GRANULE_HOST && state != GRANULE_SHARED && state != GRANULE_RUN)
		violation("%s: page %#lx is not the host's, but %u", what, page.n, state);
}

uint64_t host_read(struct pfn page, uint32_t i)
{
	uint64_t value = peek(page.n, i);

	host_page("host_read", page, i);
	fake_counts.host_reads++;
	if (fake_inputs_used < INPUTS)
		fake_inputs[fake_inputs_used++] =
			(struct input){ INPUT_HOST, page.n * 512 + i, value };
	/* The host writes it after the first read: a second one would see the other value. */
	if (race.armed && race.page == page.n && race.i == i) {
		poke(page.n, i, race.value);
		race.armed = false;
	}
	return value;
}

void host_write(struct pfn page, uint32_t i, uint64_t value)
{
	fake_counts.changes++;
	host_page("host_write", page, i);
	poke(page.n, i, value);
}
