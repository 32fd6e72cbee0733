// SPDX-License-Identifier: GPL-2.0-only
/* /dev/nie: the table of VMs, and the module's beginning and end. */
#include <linux/delay.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/uaccess.h>
#include "nie.h"

static DEFINE_MUTEX(slots_lock);
static struct nie_vm *slots[NIE_MAX_VMS];
static bool closing; /* the machine goes down */

int nie_slot_take(struct nie_vm *vm)
{
	int i, slot = -ENOSPC;

	mutex_lock(&slots_lock);
	if (closing) {
		mutex_unlock(&slots_lock);
		return -ESHUTDOWN;
	}
	for (i = NIE_MAX_VMS - 1; i >= 0; i--) {
		if (!slots[i] && slot != -EEXIST)
			slot = i;
		else if (slots[i] && !strcmp(slots[i]->name, vm->name))
			slot = -EEXIST;
	}
	if (slot >= 0) {
		vm->index = slot;
		slots[slot] = vm;
	}
	mutex_unlock(&slots_lock);
	return slot < 0 ? slot : 0;
}

void nie_slot_give(struct nie_vm *vm)
{
	mutex_lock(&slots_lock);
	slots[vm->index] = NULL;
	mutex_unlock(&slots_lock);
}

struct nie_vm *nie_vm_get(u32 index)
{
	struct nie_vm *vm = NULL;

	if (index >= NIE_MAX_VMS)
		return NULL;
	mutex_lock(&slots_lock);
	if (slots[index] && kref_get_unless_zero(&slots[index]->ref))
		vm = slots[index];
	mutex_unlock(&slots_lock);
	return vm;
}

/* The first VM from `first` on; false when there is none. One that ends is there until its memory is back. */
static bool find_info(u32 first, struct nie_vm_info *info)
{
	u32 i;

	mutex_lock(&slots_lock);
	for (i = first; i < NIE_MAX_VMS && !slots[i]; i++)
		;
	if (i < NIE_MAX_VMS)
		nie_vm_info(slots[i], info);
	mutex_unlock(&slots_lock);
	return i < NIE_MAX_VMS;
}

static long do_list(struct nie_vm_info __user *user)
{
	struct nie_vm_info *info;
	long err = -ENOENT;
	u32 first;

	if (get_user(first, &user->index))
		return -EFAULT;
	info = kzalloc(sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	if (find_info(first, info))
		err = copy_to_user(user, info, sizeof(*info)) ? -EFAULT : 0;
	kfree(info);
	return err;
}

static long nie_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	struct nie_create_vm create;

	switch (request) {
	case NIE_IOC_VERSION:
		return NIE_UAPI_VERSION;
	case NIE_IOC_CREATE_VM:
		if (copy_from_user(&create, (void __user *)arg, sizeof(create)))
			return -EFAULT;
		return nie_vm_create(&create);
	case NIE_IOC_LIST:
		return do_list((void __user *)arg);
	}
	return -ENOTTY;
}

static const struct file_operations nie_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = nie_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice nie_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "nie",
	.fops = &nie_fops,
	.mode = 0600,
};

/* The engine's own count of the granules that VMs hold, in /sys/module/nie/parameters/granules. */
static int granules_show(char *buffer, const struct kernel_param *unused)
{
	u64 granules = 0;
	u32 i;

	for (i = 0; i < NIE_MAX_VMS; i++) {
		struct nie_regs r = { .x = { NIE_VM_INFO, i } };

		if (nie_hvc(&r) == NIE_OK)
			granules += r.x[2];
	}
	return sysfs_emit(buffer, "%llu\n", granules);
}

static const struct kernel_param_ops granules_ops = { .get = granules_show };
module_param_cb(granules, &granules_ops, NULL, 0400);

/* Has its last descriptor been closed, and is not all of its memory back yet? */
static bool ending(u32 index)
{
	const struct nie_vm *vm;
	bool yes;

	mutex_lock(&slots_lock);
	vm = slots[index];
	yes = vm && !kref_read(&vm->ref) && !READ_ONCE(vm->lost);
	mutex_unlock(&slots_lock);
	return yes;
}

/* The engine refuses to power off or reset the machine while it holds a VM: end them first. */
static int machine_down(struct notifier_block *block, unsigned long event, void *unused)
{
	struct nie_vm *vm;
	u32 i;

	mutex_lock(&slots_lock);
	closing = true;
	mutex_unlock(&slots_lock);
	for (i = 0; i < NIE_MAX_VMS; i++) {
		while (ending(i))
			msleep(10);
		vm = nie_vm_get(i);
		if (!vm)
			continue;
		nie_vm_end(vm);
		nie_vm_put(vm);
	}
	return NOTIFY_DONE;
}

static struct notifier_block down_notifier = { .notifier_call = machine_down };

/* The device tree says whether the engine is below: without it HVC is undefined and would kill us. */
static int __init nie_init(void)
{
	struct nie_regs r = { .x = { NIE_VERSION } };
	int err = nie_timer_init();

	if (err)
		return err;
	err = nie_hvc(&r) == NIE_OK && r.x[1] == NIE_ABI_VERSION ? 0 : -EPROTO;
	if (err)
		pr_err("nie: the engine speaks version %lld, this module %d\n", r.x[1],
		       NIE_ABI_VERSION);
	else
		err = misc_register(&nie_device);
	if (err)
		nie_timer_exit();
	else
		register_reboot_notifier(&down_notifier);
	return err;
}

/* Each descriptor holds the module: when it goes, no VM lives. */
static void __exit nie_exit(void)
{
	unregister_reboot_notifier(&down_notifier);
	misc_deregister(&nie_device);
	nie_timer_exit();
}

module_init(nie_init);
module_exit(nie_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("VMs on the nie isolation engine");
