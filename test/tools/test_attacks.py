# SPDX-License-Identifier: Apache-2.0
"""The attacks of the demonstration: what is tried, what is documented and what is judged are the same."""
import os
import re
import unittest

from common import ROOT


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


class Attacks(unittest.TestCase):
    def setUp(self):
        self.tried = dict(re.findall(r'\{ "([a-z-]+)", "(\w+)", attack_', text("host/linux/attack/attack.c")))

    def test_some_are_tried(self):
        self.assertGreater(len(self.tried), 10)

    def test_documented(self):
        section = text("docs/THREATS.md").split("## What `./nie run` tries")[1]
        rows = re.findall(r"^\| (`[^|]*`) \| (\w+) \|", section, re.M)
        said = {name: answer for names, answer in rows for name in re.findall(r"`([a-z-]+)`", names)}
        self.assertEqual(said, self.tried)

    def test_judged(self):
        listed = text("host/demo/demo").split('ATTACKS="')[1].split('"')[0]
        self.assertEqual([line.split("|")[0] for line in listed.splitlines()], list(self.tried))
