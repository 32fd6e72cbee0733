// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include "look.h"
#include "nie.h"

static phys_addr_t page_of(struct nie_vm *vm, u64 ipa)
{
	u64 offset = ipa - vm->ram_base;
	struct nie_chunk *c = &vm->chunk[offset / NIE_BLOCK_SIZE];
	u32 i = offset % NIE_BLOCK_SIZE / PAGE_SIZE;

	if (offset >= vm->ram_size || !test_bit(i, c->owned))
		return 0;
	return page_to_phys(c->block ? c->block + i : c->page[i]);
}

phys_addr_t nie_look_page(u32 index, u64 ipa)
{
	struct nie_vm *vm = nie_vm_get(index);
	phys_addr_t pa;

	if (!vm)
		return 0;
	mutex_lock(&vm->lock);
	pa = vm->ended ? 0 : page_of(vm, ipa);
	mutex_unlock(&vm->lock);
	nie_vm_put(vm);
	return pa;
}
EXPORT_SYMBOL_GPL(nie_look_page);

phys_addr_t nie_look_context(u32 index, u32 vcpu)
{
	struct nie_vm *vm = nie_vm_get(index);
	phys_addr_t pa = 0;

	if (!vm)
		return 0;
	mutex_lock(&vm->lock);
	if (!vm->ended && vcpu < NIE_MAX_VCPUS && vm->vcpu[vcpu])
		pa = page_to_phys(vm->vcpu[vcpu]->context);
	mutex_unlock(&vm->lock);
	nie_vm_put(vm);
	return pa;
}
EXPORT_SYMBOL_GPL(nie_look_context);

u64 nie_look_middle(u32 index)
{
	struct nie_vm *vm = nie_vm_get(index);
	u64 ipa = 0;

	if (!vm)
		return 0;
	if (READ_ONCE(vm->active) && !READ_ONCE(vm->stopped))
		ipa = vm->ram_base + ALIGN_DOWN(vm->ram_size / 2, PAGE_SIZE);
	nie_vm_put(vm);
	return ipa;
}
EXPORT_SYMBOL_GPL(nie_look_middle);
