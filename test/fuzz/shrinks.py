# SPDX-License-Identifier: Apache-2.0
"""A failure that ./nie fuzz finds becomes a small case, which fails again in the same way, and passes on the engine as it is."""
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess

import boot
import shrink

MUTANT, SEED, AT_MOST = "vectors_of_vm_left", 1, 8


def fuzz(*arguments):
    """Its exit status and what it prints."""
    command = [os.path.join(boot.ROOT, "nie"), "fuzz", *arguments]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def why(out):
    """How the case failed, without its numbers."""
    found = re.search(r"^FAILED seed \d+ mode icount: (.*)", out, re.M)
    return shrink.kind(found[1]) if found else None


def complaint():
    """What is wrong, or None."""
    loader = importlib.machinery.SourceFileLoader("mutants", os.path.join(os.path.dirname(os.path.abspath(__file__)), "mutants"))
    mutants = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants", loader))
    loader.exec_module(mutants)
    engine, case = mutants.mutated(MUTANT), f"{boot.OUT}/failure-{SEED}-icount.case"
    try:
        _, found = fuzz("--engine", engine, "--mode", "icount", "--seed", str(SEED), "--calls", "1000", "--batches", "10")
        left = re.search(r"(\d+) operations a batch to (\d+)", found)
        if not left or int(left[2]) > AT_MOST:
            return f"not shrunk: {found[:400]}"
        if "skip-op" not in open(case, encoding="utf-8").read():
            return "the case that it left is not the small one"
        if why(fuzz("--engine", engine, "--no-shrink", "--replay", case)[1]) != why(found):
            return "the small case does not fail in the same way"
        status, out = fuzz("--replay", case)
        return None if status == 0 else f"the engine as it is fails the case: {out[:400]}"
    finally:
        shutil.rmtree(mutants.OUT, ignore_errors=True)
