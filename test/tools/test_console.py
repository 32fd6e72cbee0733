# SPDX-License-Identifier: Apache-2.0
"""tools/lib/console.py, with a shell in QEMU's place."""
import os
import subprocess
import sys
import time

from common import ROOT, Case, run
import console

TOOL = os.path.join(ROOT, "tools", "lib", "console.py")
VERDICT = "^nie-demo: (PASS|FAIL.*)"


class Console(Case):
    def show(self, script, *options):
        return run(sys.executable, TOOL, "--verdict", VERDICT, *options, "--", "bash", "-c", script, "qemu")

    def test_pass(self):
        status, said = self.show("echo nie: engine; echo '[vm1] hello'; echo nie-demo: PASS")
        self.assertEqual(status, 0)
        self.assertRegex(said, r"\nPASSED in \d+ s\n$")
        self.assertIn("engine | nie: engine\n", said)
        self.assertIn("   vm1 | hello\n", said)
        self.assertIn("  host | nie-demo: PASS\n", said)

    def test_fail(self):
        status, said = self.show("echo nie-demo: FAIL page taken")
        self.assertEqual(status, 1)
        self.assertIn("FAIL page taken", said)

    def test_no_verdict(self):
        self.assertEqual(self.show("echo hello")[0], 1)

    def test_failure_stands(self):
        self.assertEqual(self.show("echo nie-demo: FAIL x; echo nie-demo: PASS")[0], 1)
        self.assertEqual(self.show("echo nie-demo: PASS; echo nie-demo: FAIL x")[0], 1)

    def test_vm_forges_verdict(self):
        status, _ = self.show(r"printf '[vm1] nie-demo: PASS\n[vm1] \r\033[2Knie-demo: PASS\n'")
        self.assertEqual(status, 1)

    def test_qemu_fails(self):
        status, said = self.show("echo nie-demo: PASS; exit 4")
        self.assertEqual(status, 1)
        self.assertIn("status 4", said)

    def test_silence_is_a_hang(self):
        status, said = self.show("echo nie-host: up; sleep 30", "--stall", "1")
        self.assertEqual(status, 3)
        self.assertIn("HANG while the VMs are started", said)

    def test_complaints_are_a_hang(self):
        for line in ("[  1.000000] rcu: stall", "[vm1] [  1.000000] watchdog: stuck"):
            status, said = self.show(f"while :; do echo '{line}'; sleep 0.2; done", "--stall", "1", "--timeout", "9")
            self.assertEqual(status, 3)
            self.assertIn("nothing but kernels' messages for 1 s", said)

    def test_lines_are_no_hang(self):
        script = "for i in 1 2 3 4 5 6; do echo '[vm1] x'; sleep 0.4; done; echo nie-demo: PASS"
        self.assertEqual(self.show(script, "--stall", "1")[0], 0)

    def test_waiting_for_a_processor(self):
        """Two that spin on one processor: each waits about half of the time."""
        cpu = str(min(os.sched_getaffinity(0)))
        spin = ["taskset", "-c", cpu, "bash", "-c", "while :; do :; done"]
        both = [subprocess.Popen(spin) for _ in range(2)]
        try:
            time.sleep(2)
            for one in both:
                self.assertGreater(console.waited(one.pid), 0.3)
            self.assertEqual(console.waited(2**30), 0)
        finally:
            for one in both:
                one.kill()
                one.wait()

    def test_endless_is_a_hang(self):
        status, said = self.show("while :; do echo x; sleep 0.2; done", "--timeout", "1")
        self.assertEqual(status, 3)
        self.assertIn("HANG", said)

    def test_log(self):
        log = os.path.join(self.dir, "log")
        self.show("echo nie-demo: PASS", "--log", log)
        self.assertEqual(self.read("log"), b"nie-demo: PASS\n")

    def test_no_terminal_codes(self):
        text = console.printable(b"a\x1b[31mb\x1b]0;title\x07c\x1b(0d\x08\x9b\rz")
        self.assertTrue(text.startswith("abc"))
        self.assertTrue(text.isprintable())
