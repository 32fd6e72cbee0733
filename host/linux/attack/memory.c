// SPDX-License-Identifier: GPL-2.0-only
/* Attacks on a VM's memory and saved registers by physical address. */
#include <linux/mm.h>
#include <linux/uaccess.h>
#include "attack.h"
#include "call.h"

static s64 read_word(phys_addr_t pa)
{
	u64 word;

	return copy_from_kernel_nofault(&word, phys_to_virt(pa), sizeof(word));
}

static s64 write_word(phys_addr_t pa)
{
	u64 word = 0xdeadbeefdeadbeef;

	pagefault_disable();
	__put_kernel_nofault(phys_to_virt(pa), &word, u64, fault);
	pagefault_enable();
	return 0;
fault:
	pagefault_enable();
	return -EFAULT;
}

/* The same means reach what is the host's: else the attacks below would prove nothing. */
struct result attack_own_memory(const struct target *t)
{
	struct page *page = alloc_page(GFP_KERNEL);
	s64 got = -ENOMEM;

	if (page) {
		got = write_word(page_to_phys(page));
		got = got ? got : read_word(page_to_phys(page));
		__free_page(page);
	}
	return (struct result){ 0, got };
}

struct result attack_read_memory(const struct target *t)
{
	return (struct result){ -EFAULT, read_word(t->page) };
}

struct result attack_write_memory(const struct target *t)
{
	return (struct result){ -EFAULT, write_word(t->page) };
}

struct result attack_read_registers(const struct target *t)
{
	return (struct result){ -EFAULT, read_word(t->context) };
}

struct result attack_give_page(const struct target *t)
{
	u64 status = nie_call(NIE_PAGE_ADD_ZERO, t->other, t->other_ipa, t->page, 1, 3);

	return (struct result){ NIE_E_OWNER, status };
}

/* The victim's saved registers as a page of the other VM. */
struct result attack_take_registers(const struct target *t)
{
	u64 status = nie_call(NIE_PAGE_ADD_ZERO, t->other, t->other_ipa, t->context, 1, 3);

	return (struct result){ NIE_E_OWNER, status };
}
