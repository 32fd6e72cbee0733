// SPDX-License-Identifier: GPL-2.0-only
/* Reading /sys/kernel/debug/nie/attack runs all attacks once and gives one line each. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include "abi/nie.h"
#include "attack.h"
#include "look.h"

static const struct attack {
	const char *name;
	const char *error; /* the documented name of what is expected */
	struct result (*run)(const struct target *t);
} attacks[] = {
	{ "own-memory", "success", attack_own_memory },
	{ "read-memory", "EFAULT", attack_read_memory },
	{ "write-memory", "EFAULT", attack_write_memory },
	{ "read-registers", "EFAULT", attack_read_registers },
	{ "give-page", "NIE_E_OWNER", attack_give_page },
	{ "take-registers", "NIE_E_OWNER", attack_take_registers },
	{ "donate-twice", "NIE_E_OWNER", attack_donate_twice },
	{ "forge-page", "NIE_E_SPENT", attack_forge_page },
	{ "forge-answer", "PAGE_MISSING", attack_forge_answer },
	{ "start-running-cpu", "ALREADY_ON", attack_start_running_cpu },
	{ "start-wild-cpu", "INVALID_PARAMETERS", attack_start_wild_cpu },
	{ "reset-machine", "DENIED", attack_reset_machine },
	{ "pending-table", "unchanged", attack_pending_table },
	{ "property-table", "unchanged", attack_property_table },
};

/* Where the first VM that runs keeps what is worth reading: an IPA. The demonstration gives it. */
static ulong secret;
module_param(secret, ulong, 0400);

static struct dentry *folder;
static DEFINE_MUTEX(lock);

/* The first two VMs that run: the victim and the one that would get its page. */
static bool find_target(struct target *t)
{
	u32 i, found = 0, slot[2];

	for (i = 0; i < NIE_MAX_VMS && found < 2; i++) {
		if (nie_look_middle(i))
			slot[found++] = i;
	}
	if (found < 2)
		return false;
	t->vm = slot[0];
	t->other = slot[1];
	t->page = nie_look_page(t->vm, secret ? secret : nie_look_middle(t->vm));
	t->other_ipa = nie_look_middle(t->other);
	t->context = nie_look_context(t->vm, 0);
	return t->page && t->context;
}

static int attack_show(struct seq_file *seq, void *unused)
{
	struct target t;
	struct result r;
	const char *verdict;
	u32 i;

	mutex_lock(&lock);
	if (!find_target(&t)) {
		mutex_unlock(&lock);
		pr_err("nie_attack: two active VMs are needed, and `secret` in the first one's "
		       "RAM\n");
		return -ENODEV;
	}
	for (i = 0; i < ARRAY_SIZE(attacks); i++) {
		r = attacks[i].run(&t);
		verdict = r.got == r.expected ? "held" : "BROKEN";
		seq_printf(seq, "attack %s: expected %s (%lld), got %lld: %s\n", attacks[i].name,
			   attacks[i].error, r.expected, r.got, verdict);
		pr_info("attack %s: expected %s (%lld), got %lld: %s\n", attacks[i].name,
			attacks[i].error, r.expected, r.got, verdict);
	}
	mutex_unlock(&lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(attack);

static int __init attack_init(void)
{
	struct dentry *file;

	folder = debugfs_create_dir("nie", NULL);
	file = debugfs_create_file("attack", 0400, folder, NULL, &attack_fops);
	if (IS_ERR(file))
		debugfs_remove(folder);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit attack_exit(void)
{
	debugfs_remove(folder);
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Attacks of a hostile host on the VMs of nie");
