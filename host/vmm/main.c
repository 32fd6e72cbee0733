// SPDX-License-Identifier: Apache-2.0
/* nievm: the monitor of VMs on the engine. Choice of the verb, and help. */
#include "fail.h"
#include "verbs.h"

#include <stdio.h>
#include <string.h>

static const char run_help[] =
	"usage: nievm run NAME --kernel FILE [OPTION]...\n"
	"Start a VM and stay until it ends; its console is this terminal, where Ctrl-] stops it.\n"
	"  --kernel FILE    an uncompressed arm64 Linux Image\n"
	"  --initrd FILE    its initramfs\n"
	"  --memory SIZE    16M to 64G, a multiple of 2M (default 128M)\n"
	"  --vcpus N        1 to 8 (default 2)\n"
	"  --cmdline TEXT   the kernel's command line (default console=ttyAMA0)\n"
	"  --console WHERE  stdio, pty, socket (for `nievm console`), or a file's name\n"
	"  --detach         return when the VM runs; its console is a socket unless told\n"
	"Exit status: 0 the VM powered off; 1 it could not be started; 2 wrong arguments; 3 it "
	"asked\n"
	"for a reset; 4 it did what the monitor cannot serve; 5 it was stopped from outside.\n"
	"With --detach: 0 it runs; what it dies of is in /run/nievm/NAME.log.\n";

static const char list_help[] = "usage: nievm list\n"
				"All VMs: name, state, vCPUs, vCPUs on a CPU now, memory, pages of "
				"4 KiB that the engine holds\n"
				"for it, and exits to the host by reason.\n";

static const char stop_help[] =
	"usage: nievm stop NAME\n"
	"Stop a VM at once and wait until its memory is back. Its kernel is not asked.\n";

static const char console_help[] =
	"usage: nievm console NAME\n"
	"The console of a VM that runs with --console socket or --detach, until the VM\n"
	"ends or Ctrl-] is read. The end of standard input ends nothing, so </dev/null watches.\n";

static const struct verb {
	const char *name, *help;
	int (*body)(int argc, char **argv);
} verbs[] = {
	{ "run", run_help, verb_run },
	{ "list", list_help, verb_list },
	{ "stop", stop_help, verb_stop },
	{ "console", console_help, verb_console },
};

static int help(void)
{
	printf("nievm: virtual machines on the nie engine\n"
	       "usage: nievm VERB [ARGUMENT]...      nievm VERB --help tells more\n"
	       "  run      start a VM\n"
	       "  list     all VMs\n"
	       "  stop     stop a VM\n"
	       "  console  the console of a VM in the background\n");
	return OK;
}

static int is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int dispatch(const struct verb *v, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (is_help(argv[i]))
			return printf("%s", v->help) < 0 ? FAILED : OK;
	return v->body(argc, argv);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return fail_usage("a verb is missing");
	if (is_help(argv[1]) || strcmp(argv[1], "help") == 0)
		return help();
	for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return dispatch(&verbs[i], argc - 1, argv + 1);
	return fail_usage("there is no verb '%s'", argv[1]);
}
