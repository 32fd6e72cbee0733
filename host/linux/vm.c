// SPDX-License-Identifier: GPL-2.0-only
/* A VM: its descriptor, its life in the engine from VM_CREATE to VM_DESTROY. */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include "nie.h"

/* Takes back all that the engine has; false when it kept something, which then stays lost. */
static bool take_back(struct nie_vm *vm)
{
	bool all = true;
	u32 i;

	if (nie_must(NIE_VM_STOP, vm->index))
		return false;
	for (i = 0; i < NIE_MAX_VCPUS; i++) {
		if (vm->vcpu[i])
			all &= nie_vcpu_take_back(vm->vcpu[i]);
	}
	all &= nie_memory_take_back(vm);
	if (!all || nie_must(NIE_VM_DESTROY, vm->index))
		return false;
	__free_page(vm->root);
	return true;
}

void nie_vm_end(struct nie_vm *vm)
{
	u32 i;

	mutex_lock(&vm->lock);
	if (!vm->ended) {
		vm->active = true; /* nothing is loaded or given any more */
		nie_vm_stop(vm);
		for (i = 0; i < vm->vcpus; i++) {
			/* Who is in RUN leaves; who comes later sees `stopped`. */
			if (vm->vcpu[i]) {
				mutex_lock(&vm->vcpu[i]->lock);
				mutex_unlock(&vm->vcpu[i]->lock);
			}
		}
		vm->lost = !take_back(vm);
		vm->ended = true;
	}
	mutex_unlock(&vm->lock);
}

static void vm_release(struct kref *ref)
{
	struct nie_vm *vm = container_of(ref, struct nie_vm, ref);
	u32 i;

	nie_vm_end(vm);
	for (i = 0; i < NIE_MAX_VCPUS; i++) {
		if (vm->vcpu[i])
			nie_vcpu_free(vm->vcpu[i]);
	}
	if (!vm->lost) {
		nie_slot_give(vm);
		kfree(vm);
		return;
	}
	/* Freed memory that the engine owns would fault Linux anywhere: lose it, and keep the index taken. */
	pr_err("nie: VM %u (%s) could not be destroyed; its memory is lost\n", vm->index, vm->name);
	vm->name[0] = 0;
	__module_get(THIS_MODULE);
}

void nie_vm_put(struct nie_vm *vm)
{
	kref_put(&vm->ref, vm_release);
}

void nie_vm_stop(struct nie_vm *vm)
{
	WRITE_ONCE(vm->stopped, true);
	nie_must(NIE_VM_STOP, vm->index);
	nie_notify(vm, ~0U);
}

void nie_vm_info(struct nie_vm *vm, struct nie_vm_info *info)
{
	struct nie_regs r = { .x = { NIE_VM_INFO, vm->index } };
	u32 i;

	memset(info, 0, sizeof(*info));
	if (nie_hvc(&r) == NIE_OK) {
		info->state = r.x[1] & 0xff;
		info->running = (r.x[1] >> 8) & 0xff;
		info->pages = r.x[2];
		memcpy(info->measurement, &r.x[3], sizeof(info->measurement));
	}
	info->index = vm->index;
	info->vcpus = vm->vcpus;
	info->pid = vm->pid;
	info->ram_size = vm->ram_size;
	for (i = 0; i < NIE_EXIT_REASONS; i++)
		info->exits[i] = atomic64_read(&vm->exits[i]);
	memcpy(info->name, vm->name, sizeof(info->name));
}

static int vm_load(struct nie_vm *vm, const void __user *arg)
{
	struct nie_load load;

	if (copy_from_user(&load, arg, sizeof(load)))
		return -EFAULT;
	return vm->active ? -EBUSY : nie_memory_load(vm, &load);
}

static int vm_create_vcpu(struct nie_vm *vm, const void __user *arg)
{
	struct nie_create_vcpu args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.zero || args.index >= vm->vcpus)
		return -EINVAL;
	if (vm->active)
		return -EBUSY;
	return vm->vcpu[args.index] ? -EEXIST : nie_vcpu_create(vm, &args);
}

static int vm_activate(struct nie_vm *vm)
{
	u32 i;
	int err;

	if (vm->active)
		return -EBUSY;
	for (i = 0; i < vm->vcpus; i++) {
		if (!vm->vcpu[i])
			return -EINVAL;
	}
	err = nie_memory_give(vm);
	if (!err)
		err = nie_must(NIE_VM_ACTIVATE, vm->index);
	if (err)
		nie_vm_stop(vm); /* half given: it can only be closed */
	/* Also after a failure: nothing may be loaded or given twice. */
	vm->active = true;
	return err;
}

static int vm_irq_line(struct nie_vm *vm, const void __user *arg)
{
	struct nie_irq_line args;

	if (copy_from_user(&args, arg, sizeof(args)))
		return -EFAULT;
	if (args.intid < 32 || args.intid >= NIE_INTID_END || args.level > 1)
		return -EINVAL;
	nie_notify(vm, nie_irq_line(vm, 0, args.intid, args.level));
	return 0;
}

static int vm_get_info(struct nie_vm *vm, void __user *arg)
{
	struct nie_vm_info *info = kmalloc(sizeof(*info), GFP_KERNEL);
	int err;

	if (!info)
		return -ENOMEM;
	nie_vm_info(vm, info);
	err = copy_to_user(arg, info, sizeof(*info)) ? -EFAULT : 0;
	kfree(info);
	return err;
}

static long vm_build(struct nie_vm *vm, unsigned int request, void __user *arg)
{
	long ret = -ENOTTY;

	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	if (request == NIE_VM_LOAD)
		ret = vm_load(vm, arg);
	else if (request == NIE_VM_CREATE_VCPU)
		ret = vm_create_vcpu(vm, arg);
	else if (request == NIE_VM_DO_ACTIVATE)
		ret = vm_activate(vm);
	mutex_unlock(&vm->lock);
	return ret;
}

static long vm_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	struct nie_vm *vm = file->private_data;

	switch (request) {
	case NIE_VM_IRQ_LINE:
		return vm_irq_line(vm, (void __user *)arg);
	case NIE_VM_GET_INFO:
		return vm_get_info(vm, (void __user *)arg);
	case NIE_VM_DO_STOP:
		nie_vm_stop(vm);
		return 0;
	}
	return vm_build(vm, request, (void __user *)arg);
}

static int vm_close(struct inode *inode, struct file *file)
{
	nie_vm_put(file->private_data);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vm_ioctl,
	.release = vm_close,
	.llseek = noop_llseek,
};

static bool args_ok(const struct nie_create_vm *args)
{
	/* Far below 2^38, so that no sum overflows; the engine checks the window itself. */
	const u64 max = 1ULL << 37;

	return args->name[0] && strnlen(args->name, NIE_NAME_MAX) < NIE_NAME_MAX && !args->zero &&
	       args->vcpus >= 1 && args->vcpus <= NIE_MAX_VCPUS && args->ram_size &&
	       args->ram_size < max && args->ram_base < max && args->ram_base &&
	       IS_ALIGNED(args->ram_base | args->ram_size, NIE_BLOCK_SIZE);
}

/* Before the engine knows it. */
static void vm_free_unborn(struct nie_vm *vm)
{
	if (vm->root)
		__free_page(vm->root);
	kvfree(vm->chunk);
	kfree(vm->level2);
	kfree(vm);
}

static struct nie_vm *vm_alloc(const struct nie_create_vm *args)
{
	struct nie_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);

	if (!vm)
		return NULL;
	kref_init(&vm->ref);
	strscpy(vm->name, args->name, sizeof(vm->name));
	vm->pid = task_tgid_vnr(current);
	vm->vcpus = args->vcpus;
	vm->ram_base = args->ram_base;
	vm->ram_size = args->ram_size;
	mutex_init(&vm->lock);
	raw_spin_lock_init(&vm->gic_lock);
	vgic_init(&vm->gic, vm->vcpus);
	vm->root = alloc_page(GFP_KERNEL_ACCOUNT);
	if (vm->root && !nie_memory_init(vm))
		return vm;
	vm_free_unborn(vm);
	return NULL;
}

int nie_vm_create(const struct nie_create_vm *args)
{
	struct nie_vm *vm;
	int fd;

	if (!args_ok(args))
		return -EINVAL;
	vm = vm_alloc(args);
	if (!vm)
		return -ENOMEM;
	fd = nie_slot_take(vm);
	if (fd < 0) {
		vm_free_unborn(vm);
		return fd;
	}
	fd = nie_must(NIE_VM_CREATE, vm->index, page_to_phys(vm->root), vm->ram_base,
		      vm->ram_size / PAGE_SIZE, vm->vcpus);
	if (fd < 0) {
		nie_slot_give(vm);
		vm_free_unborn(vm);
		return fd;
	}
	fd = anon_inode_getfd("nie-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		nie_vm_put(vm);
	return fd;
}
