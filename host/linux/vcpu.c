// SPDX-License-Identifier: GPL-2.0-only
/* A vCPU: its pages, its descriptor and the page that it shares with the monitor. */
#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include "nie.h"

static long vcpu_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	struct nie_vcpu *v = file->private_data;
	long ret;

	if (request != NIE_VCPU_DO_RUN)
		return -ENOTTY;
	if (!READ_ONCE(v->vm->active))
		return -EINVAL;
	if (!mutex_trylock(&v->lock))
		return -EBUSY;
	ret = nie_vcpu_run(v);
	mutex_unlock(&v->lock);
	return ret;
}

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct nie_vcpu *v = file->private_data;

	if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	vm_flags_mod(vma, VM_DONTEXPAND, VM_MAYEXEC);
	return vm_insert_page(vma, vma->vm_start, virt_to_page(v->state));
}

static int vcpu_close(struct inode *inode, struct file *file)
{
	struct nie_vcpu *v = file->private_data;

	nie_vm_put(v->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.release = vcpu_close,
	.llseek = noop_llseek,
};

static void pages_free(struct nie_vcpu *v)
{
	if (v->context)
		__free_page(v->context);
	if (v->record)
		__free_page(v->record);
	v->context = NULL;
	v->record = NULL;
	v->run = NULL;
}

void nie_vcpu_free(struct nie_vcpu *v)
{
	if (v->state)
		free_page((unsigned long)v->state);
	kfree(v);
}

static struct nie_vcpu *vcpu_alloc(struct nie_vm *vm, u32 index)
{
	struct nie_vcpu *v = kzalloc(sizeof(*v), GFP_KERNEL_ACCOUNT);

	if (!v)
		return NULL;
	v->vm = vm;
	v->index = index;
	mutex_init(&v->lock);
	init_waitqueue_head(&v->wait);
	nie_timer_setup(v);
	v->context = alloc_page(GFP_KERNEL_ACCOUNT);
	v->record = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	v->state = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (v->context && v->record && v->state) {
		v->run = page_address(v->record);
		return v;
	}
	pages_free(v);
	nie_vcpu_free(v);
	return NULL;
}

int nie_vcpu_create(struct nie_vm *vm, const struct nie_create_vcpu *args)
{
	struct nie_vcpu *v = vcpu_alloc(vm, args->index);
	int fd;

	if (!v)
		return -ENOMEM;
	if (nie_must(NIE_VCPU_CREATE, vm->index, v->index, page_to_phys(v->context),
		     page_to_phys(v->record), args->entry, args->x0)) {
		pages_free(v);
		nie_vcpu_free(v);
		return -EIO;
	}
	/* From here it is the VM's: destroyed with it, whether the descriptor comes into being or not. */
	vm->vcpu[v->index] = v;
	kref_get(&vm->ref);
	fd = anon_inode_getfd("nie-vcpu", &vcpu_fops, v, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		nie_vm_put(vm);
	return fd;
}

bool nie_vcpu_take_back(struct nie_vcpu *v)
{
	if (nie_must(NIE_VCPU_DESTROY, v->vm->index, v->index))
		return false;
	pages_free(v);
	return true;
}
