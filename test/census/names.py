#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The catalogue docs/hypervisor-defects.md: does every test, mutant, theorem and field of a register exist that it names, and does
every entry that it calls excluded name one, and a mutation that shows that it bites, or say that there is no mutant?

usage: names.py [DOCUMENT]   Prints what is wrong, then the entries by kind; exit status 0 when nothing is.
"""
import collections
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KINDS = ("excluded", "by design", "absent", "open")
AT_LEAST = 40  # entries


def found(pattern, *paths):
    """What the pattern finds in files below the tree's root."""
    names = set()
    for path in (f for p in paths for f in glob.glob(os.path.join(ROOT, p))):
        with open(path, encoding="utf-8") as f:
            names.update(re.findall(pattern, f.read(), re.M))
    return names


def mutations():
    """Names of mutants, of what the census must refuse, and of theorems that a defect makes a claim false."""
    return (found(r'^    "(\w+)": \(', "test/mutants/c*_mutants.py", "test/qemu/mutants", "test/fuzz/mutants", "test/isolation/leaks")
            | found(r"^(?:table|engine|refused) (\w+)", "test/census/run")
            | found(r"^Print Assumptions (?:\w+_mutants|leak_\w+|forge_\w+|scrub_before_flush)\.(\w+)\.", "proof/golden/assumptions.v")
            | {"leaving_one_out_remembers"})


def known():
    """Names of tests, of mutants and of theorems in the tree."""
    return (found(r"\bTEST\((\w+)\)", "test/unit/*.c", "test/qemu/*.c") | mutations()
            | found(r"^Theorem (\w+)", "proof/Theorems.v", "proof/security/*.v"))


def entries(path):
    """(what it is, what becomes of it here) of each row."""
    with open(path, encoding="utf-8") as f:
        rows = [line.strip(" |\n") for line in f if line.startswith("| ") and not line.startswith("| source")]
    return [(row.split("|")[0].strip(), re.sub(r"`[^`]*`", "", row.rsplit("|", 1)[1]).strip(" *")) for row in rows]


def wrong(what, here, names, fields):
    """What is wrong with an entry. A field of a register is its own mutation: test/census/fields.py turns each."""
    said = set(re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b", here))
    fielded = set(re.findall(r"\b[A-Za-z0-9]+_EL\d\.\w+", here))
    kind = next((k for k in KINDS if here.startswith(k)), None)
    lines = [f"{what}: names {n}, which is no test, no mutant and no theorem" for n in sorted(said - names)]
    lines += [f"{what}: names {n}, which the census does not have" for n in sorted(fielded - fields)]
    if kind is None:
        lines.append(f"{what}: neither of {', '.join(KINDS)}")
    # A page's name alone (page_add) is a test of test/unit.
    if kind == "excluded" and not (said & names) | (fielded & fields):
        lines.append(f"{what}: excluded, by nothing that is named")
    if kind == "excluded" and bool((said & mutations()) or (fielded & fields)) == ("no mutant" in here):
        lines.append(f"{what}: names no mutant and does not say so, or says so and names one")
    return lines


def main():
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "docs", "hypervisor-defects.md")
    names, fields, rows = known(), found(r"\b(\w+_EL\d\.\w+)=", "tools/census/classes.txt"), entries(path)
    lines = [line for what, here in rows for line in wrong(what, here, names, fields)]
    if len(rows) < AT_LEAST:
        lines.append(f"{len(rows)} entries, fewer than {AT_LEAST}")
    kinds = collections.Counter(next((k for k in KINDS if here.startswith(k)), "?") for _, here in rows)
    for line in lines:
        print(f"{os.path.basename(path)}: {line}")
    bite = kinds["excluded"] - sum("no mutant" in here for _, here in rows)
    print(f"{len(rows)} entries: " + ", ".join(f"{kinds[k]} {k}" for k in KINDS) + f"; {bite} of the excluded with a mutation" + ("" if lines else "; all that they name exists"))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
