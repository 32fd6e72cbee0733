#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does every test and mutant exist that docs/hypervisor-defects.md names?

usage: names.py [DOCUMENT]   Prints the names that nothing has; exit status 0 when there are none.
"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def known():
    """Names of tests and mutants in the tree."""
    names = set()
    for path in glob.glob(os.path.join(ROOT, "test", "unit", "*.c")) + glob.glob(os.path.join(ROOT, "test", "qemu", "*.c")):
        with open(path, encoding="utf-8") as f:
            names.update(re.findall(r"\bTEST\((\w+)\)", f.read()))
    for path in ("mutants/c_mutants.py", "qemu/mutants", "fuzz/mutants"):
        with open(os.path.join(ROOT, "test", path), encoding="utf-8") as f:
            names.update(re.findall(r'^    "(\w+)": \(', f.read(), re.M))
    with open(os.path.join(ROOT, "test", "census", "run"), encoding="utf-8") as f:
        names.update(re.findall(r"^(?:table|engine|refused) (\w+)", f.read(), re.M))
    return names


def named(path):
    """What the last column of each row names: words with an underscore outside of backquotes."""
    with open(path, encoding="utf-8") as f:
        rows = [line for line in f if line.startswith("| ")]
    cells = [re.sub(r"`[^`]*`", "", row.rstrip(" |\n").rsplit("|", 1)[1]) for row in rows]
    return {word for cell in cells for word in re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b", cell)}


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "docs", "hypervisor-defects.md")
    names = named(path)
    missing = sorted(names - known())
    for name in missing:
        print(f"{os.path.basename(path)} names {name}, which is no test and no mutant")
    return 1 if missing or len(names) < 30 else 0


if __name__ == "__main__":
    sys.exit(main())
