/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of docs/SUBSET.md on objects: one function a rule, named by its id. */
#include "prim.h"

enum { ROOMS = 4, SEATS = 3 };

struct page {
	uint64_t n;
};

struct pair {
	uint64_t a;
	uint32_t b;
};

struct seat {
	uint8_t taken;
	struct page page;
};

struct room {
	uint32_t size;
	uint16_t number[5];
	struct seat seats[SEATS];
	struct pair pair;
};

struct row {
	uint8_t cell[6];
};

struct room rooms[ROOMS];
struct row rows[2];
uint64_t counter;
static uint32_t squares[10];
static uint8_t grid[3][4];
static const uint32_t table[5] = { 2, 3, 5, ROOMS };

uint64_t rule_global(uint64_t a)
{
	uint64_t before = counter;

	counter = a;
	counter++;
	counter += before;
	return counter;
}

uint64_t rule_array(uint64_t a, uint64_t b)
{
	squares[a] = (uint32_t)(b * b);
	squares[1] += 5;
	return squares[a] + squares[1] + squares[2];
}

uint64_t rule_grid(uint64_t a, uint64_t b)
{
	grid[a][b] = 9;
	grid[2][1] = 4;
	return grid[a][b] + 16 * (uint64_t)grid[1][0] + 256 * (uint64_t)grid[0][3] +
	       4096 * (uint64_t)grid[2][1];
}

uint64_t rule_struct(uint64_t a, uint64_t b)
{
	rooms[a].size = (uint32_t)b;
	rooms[1].seats[2].taken = (uint8_t)b;
	rooms[a].seats[1].page.n = b;
	rooms[a].pair.b = 6;
	return rooms[a].size + rooms[a].seats[2].taken + rooms[a].seats[1].page.n + rooms[1].pair.b;
}

uint64_t rule_bounds_inner(uint64_t a)
{
	rows[0].cell[a] = 1;
	return rows[1].cell[0];
}

uint64_t rule_alias(uint64_t a, uint64_t b)
{
	struct room *r = &rooms[a & 3];
	struct seat *s = &r->seats[b % 3];
	struct pair *p = &r->pair;

	r->size = 17;
	s->taken = 1;
	p->b = (uint32_t)b;
	a = 0;
	r->number[4] = (uint16_t)b;
	return r->size + s->taken + rooms[a].size + r->number[4] + rooms[a].pair.b;
}

uint64_t rule_newtype(uint64_t a)
{
	struct page p = { a };
	struct page q = p;

	q.n = q.n + 1;
	return p.n * 2 + q.n;
}

static struct page next(struct page p)
{
	return (struct page){ p.n + 1 };
}

uint64_t rule_newtype_call(uint64_t a)
{
	return next(next((struct page){ a })).n;
}

static struct pair swap(struct pair p)
{
	struct pair q = { p.b, (uint32_t)p.a };

	output(q.a);
	return q;
}

uint64_t rule_struct_value(uint64_t a, uint64_t b)
{
	struct pair p = { a, (uint32_t)b };
	struct pair q;

	q = swap(p);
	p = q;
	p.a += 1;
	return p.a + 3 * q.a + 5 * p.b;
}

static struct pair passed(struct pair p)
{
	return swap(p);
}

uint64_t rule_struct_pass(uint64_t a, uint64_t b)
{
	struct pair p = passed((struct pair){ a, (uint32_t)b });

	return p.a + 7 * p.b;
}

uint64_t rule_struct_copy(uint64_t a, uint64_t b)
{
	struct pair p = { a, (uint32_t)b };

	rooms[a & 3].pair = p;
	rooms[2].pair = rooms[a & 3].pair;
	rooms[3].pair = swap(p);
	p = rooms[2].pair;
	rooms[1].seats[0] = (struct seat){ 1, { b } };
	return p.a + p.b + rooms[3].pair.a + rooms[1].seats[0].page.n;
}

uint64_t rule_init_rest(uint64_t a)
{
	struct pair p = { a };
	struct pair q = { .b = 4 };

	return p.a + p.b + q.a + q.b;
}

static struct pair corner(void)
{
	return rooms[1].pair;
}

uint64_t rule_struct_global(uint64_t a)
{
	rooms[1].pair.a = a;
	rooms[1].pair.b = 3;

	struct pair p = corner();

	return p.a ^ p.b;
}

uint64_t rule_table(uint64_t a)
{
	return table[a] * 10 + table[4];
}

uint64_t rule_zero(uint64_t a)
{
	return rooms[a & 3].size + counter + squares[9] + rooms[0].seats[2].page.n;
}

uint64_t rule_for_global_bound(uint64_t a)
{
	uint64_t sum = 0;

	counter = a & 7;
	for (uint64_t i = 0; i < counter; i++)
		sum += i + 1;
	return sum;
}

uint64_t rule_loop_array(uint64_t a)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < 10; i++)
		squares[i] = i * i + (uint32_t)a;
	for (uint32_t i = 0; i < 10; i++)
		sum = sum * 7 + squares[i];
	return sum;
}

uint64_t rule_index_order(uint64_t a)
{
	counter = 1;
	squares[counter] = (uint32_t)a;
	rooms[counter].number[counter + 1] = 7;
	return squares[1] + rooms[1].number[2];
}
