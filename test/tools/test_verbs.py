# SPDX-License-Identifier: Apache-2.0
"""The dispatcher, ./nie test and ./nie lint, on a small project with planted faults."""
import fcntl
import os
import re
import shutil
import subprocess

from common import ROOT, Case, run

SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"


class Project(Case):
    """A copy of the tools with nothing else."""

    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.dir, "tools"))
        for name in ("nie", ".clang-format", ".gitignore", "tools/setup", "tools/packages",
                     "tools/apt-sources"):
            shutil.copy(os.path.join(ROOT, name), os.path.join(self.dir, name))
        for name in ("cmd", "lib"):
            shutil.copytree(os.path.join(ROOT, "tools", name), os.path.join(self.dir, "tools", name))
        subprocess.run(["git", "init", "-q", self.dir], check=True)

    def nie(self, *arguments):
        return run(os.path.join(self.dir, "nie"), *arguments, cwd=self.dir)


class Dispatcher(Project):
    def test_help(self):
        status, said = self.nie("help")
        self.assertEqual(status, 0)
        for verb in os.listdir(os.path.join(self.dir, "tools", "cmd")):
            self.assertRegex(said, rf"(?m)^  {verb} +\S+")

    def test_each_has_help(self):
        for verb in os.listdir(os.path.join(self.dir, "tools", "cmd")):
            status, said = self.nie(verb, "--help")
            self.assertEqual((verb, status), (verb, 0))
            self.assertIn("usage: ./nie " + verb, said)

    def test_unknown(self):
        for verb in ("nothing", "../nie", "-x"):
            status, said = self.nie(verb)
            self.assertEqual(status, 2)
            self.assertIn(f"no verb '{verb}'", said)


class Run(Project):
    def test_wrong_use(self):
        """One line that names the option, status 2, before anything is built."""
        for wrong in ("--cpus 9", "--cpus 0", "--cpus", "--memory 100", "--memory 1G", "--guest 5.0", "--cpu a;b",
                      "--stall x", "--stall 0", "--timeout 0x1", "--fly"):
            status, said = self.nie("run", "--no-build", *wrong.split())
            self.assertEqual((wrong, status, said.count("\n")), (wrong, 2, 1))
            self.assertIn(wrong.split()[0], said)

    def test_quotes_in_command(self):
        self.assertEqual(self.nie("run", "--no-build", "--run", 'say "x"')[0], 2)


    def test_image_in_use(self):
        """Two runs in one tree do not share an image: the second one says so and builds nothing."""
        image = os.path.join(self.dir, "image")
        with open(image + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            status, said = self.nie("run", "--no-build", "--image", image)
        self.assertEqual((status, said.count("\n")), (1, 1))
        self.assertIn("another ./nie run uses image", said)


class Doctor(Project):
    """One list for what is installed and what is checked."""

    def plant(self, line):
        with open(os.path.join(self.dir, "tools", "packages"), "a", encoding="utf-8") as f:
            f.write(line + "\n")

    def test_each_is_checked(self):
        with open(os.path.join(self.dir, "tools", "packages"), encoding="utf-8") as f:
            wanted = [line.split()[1].split("@")[0] for line in f if not line.startswith("#")]
        said = self.nie("doctor")[1]
        self.assertEqual(re.findall(r"(?m)^  (?:ok|WRONG|MISSING) +(\S+)", said), wanted)

    def test_missing(self):
        self.plant("run planted nie-no-such-command - planted")
        status, said = self.nie("doctor", "run")
        self.assertEqual(status, 1)
        self.assertRegex(said, r"(?m)^  MISSING  planted +no nie-no-such-command: planted$")

    def test_missing_file(self):
        self.plant("prove planted /nowhere/*.vo - planted")
        self.assertRegex(self.nie("doctor", "prove")[1], r"(?m)^  MISSING  planted ")

    def test_wrong_version(self):
        self.plant("test planted bash version.999 planted")
        status, said = self.nie("doctor", "test")
        self.assertEqual(status, 1)
        self.assertRegex(said, r"(?m)^  WRONG    planted +GNU bash.*wanted: version.999")

    def test_sets(self):
        self.plant("test planted nie-no-such-command - planted")
        self.assertNotIn("planted", self.nie("doctor", "run", "prove")[1])
        for tool in ("doctor", "setup"):
            path = os.path.join(self.dir, "tools", "cmd/doctor" if tool == "doctor" else tool)
            self.assertEqual(run(path, "fly")[0], 2)


class Groups(Project):
    def group(self, body):
        path = self.write("test/g/run", "#!/bin/bash\n" + body)
        os.chmod(path, 0o755)
        status, said = self.nie("test", "g")
        return status, said.splitlines()[-1]

    def test_counts(self):
        self.assertEqual(self.group("echo 3 passed, 0 failed"), (0, "3 passed, 0 failed"))

    def test_failures(self):
        self.assertEqual(self.group("echo 3 passed, 2 failed; exit 1"), (1, "3 passed, 2 failed"))

    def test_skipped_is_not_passed(self):
        self.assertEqual(self.group("echo 3 passed, 0 failed, 2 skipped"), (0, "3 passed, 0 failed"))

    def test_status_and_count_differ(self):
        self.assertEqual(self.group("echo 3 passed, 0 failed; exit 1"), (1, "0 passed, 1 failed"))
        self.assertEqual(self.group("echo 3 passed, 1 failed"), (1, "0 passed, 1 failed"))

    def test_no_count(self):
        self.assertEqual(self.group("echo fine"), (1, "0 passed, 1 failed"))

    def test_nothing_ran(self):
        self.assertEqual(self.group("echo 0 passed, 0 failed"), (1, "0 passed, 1 failed"))

    def test_unknown(self):
        self.assertEqual(self.nie("test", "nothing")[0], 2)


class Lint(Project):
    def finds(self, check, place, name, text):
        """The check passes without the file and finds it at `place` with it."""
        self.assertEqual(self.nie("lint", check)[0], 0)
        self.write(name, text)
        status, said = self.nie("lint", check)
        self.assertEqual(status, 1, said)
        self.assertIn(f"{name}:{place}", said)
        self.assertIn("0 passed, 1 failed", said)

    def test_format(self):
        self.finds("format", 2, "abi/x.h", SPDX + "int  x ;\n")

    def test_cppcheck(self):
        self.finds("cppcheck", 5, "host/x.c", SPDX + "int f(void)\n{\n\tint a[2];\n\treturn a[2];\n}\n")

    def test_tidy(self):
        code = "int f(void)\n{\n\tint *p = 0;\n\treturn *p;\n}\n"
        self.finds("tidy", 5, "engine/core/x.c", SPDX + code)

    def test_syntax(self):
        self.finds("syntax", 1, "tools/bad", "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\nif then\n")

    def test_licence(self):
        self.finds("licence", 1, "engine/x.c", "int x;\n")

    def test_licence_of_module(self):
        self.finds("licence", 1, "host/linux/x.c", SPDX)

    def test_long_function(self):
        body = "\tg();\n" * 38
        self.write("engine/ok.c", SPDX + "void f(void)\n{\n" + body[6:] + "}\n")
        self.finds("length", 2, "engine/x.c", SPDX + "void f(void)\n{\n" + body + "}\n")

    def test_long_shell_function(self):
        text = "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\nf() {\n" + "\ttrue\n" * 39 + "}\n"
        self.finds("length", 3, "tools/x", text)

    def test_long_file(self):
        self.finds("length", 300, "spec/x.v", "(* x *)\n" * 301)

    def test_include(self):
        self.write("host/y.h", SPDX)
        self.finds("direction", 2, "engine/core/x.c", SPDX + '#include "../../host/y.h"\n')

    def test_require(self):
        self.finds("direction", 1, "spec/x.v", "From nie.proof Require Import y.\n")

    def test_stems(self):
        self.write("abi/nie.h", SPDX + "enum nie_call {\n\tNIE_VERSION = 1,\n\tNIE_PAGE_ADD,\n};\n")
        self.finds_stem("engine/core/call/vm_stop.c", "engine/core/call/page_add.c")
        self.finds_stem("test/qemu/bad_vm_stop_twice.c", "test/qemu/bad_page_add_of_other_vm.c")
        self.finds_stem("spec/call/vm_stop.v", "spec/call/page_add.v")

    def finds_stem(self, other, own):
        """The file of another call makes that of PAGE_ADD necessary."""
        self.assertEqual(self.nie("lint", "stems")[0], 0)
        self.write(other, SPDX)
        status, said = self.nie("lint", "stems")
        self.assertEqual(status, 1)
        self.assertIn("page_add has no " + os.path.dirname(own), said)
        self.write(own, SPDX)

    def test_unfinished_is_listed(self):
        self.write("engine/x.c", "int x;\n")
        place = "engine/x.c:1: no SPDX-License-Identifier: Apache-2.0"
        self.write("tools/lint-known", f"licence {place}\n")
        status, said = self.nie("lint", "licence")
        self.assertEqual(status, 0)
        self.assertIn("1 places unfinished", said)
        self.write("engine/x.c", SPDX)
        status, said = self.nie("lint", "licence")
        self.assertEqual(status, 1)
        self.assertIn("strike it", said)

    def test_constants_may_be_required(self):
        self.write("spec/x.v", "From nie.generated Require Import Constants.\n")
        self.assertEqual(self.nie("lint", "direction")[0], 0)
        self.finds("direction", 1, "spec/y.v", "From nie.generated Require Import Globals.\n")

    def test_private(self):
        self.finds("private", 1, "docs/x.md", "see /wor" + "k/main\n")

    def test_subset_tool_is_needed(self):
        self.write("engine/core/x.c", SPDX)
        self.assertEqual(self.nie("lint", "subset")[0], 1)
