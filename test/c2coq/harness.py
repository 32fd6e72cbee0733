# SPDX-License-Identifier: Apache-2.0
"""Runs C functions both ways: compiled by clang with its sanitizers, and as deep terms in Coq."""
import concurrent.futures
import os
import re
import shutil
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", "c2coq")
BASE = os.path.join(BUILD, "base")
FLAGS = "--target=aarch64-none-elf -std=c11 -ffreestanding -Wall"
LIBRARY = ["model/C_monad", "model/C", "model/Map", "model/C_store", "proof/lib/C_text", "proof/lib/C_order",
           "proof/lib/C_const_sound", "proof/lib/C_expr_sound", "proof/lib/C_join", "proof/lib/C_text_sound",
           "proof/lib/C_same"]
EDGES = [0, 1, 2, 3, 4, 5, 7, 8, 11, 16, 31, 32, 33, 63, 64, 127, 128, 200, 255, 256, 65535, 65536, 0x7fffffff,
         0x80000000, 0xffffffff, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1]


class Failed(Exception):
    """A step of a test went wrong: which, and what it said."""


def command(args, cwd=ROOT, seconds=300):
    try:
        done = subprocess.run(args, cwd=cwd, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(args[:2])}: no end after {seconds} s") from None
    if done.returncode != 0:
        lines = [l for l in (done.stdout + done.stderr).splitlines() if "overrid" not in l and "bound to" not in l]
        raise Failed(f"{os.path.basename(args[0])} {args[-1]}:\n" + "\n".join(lines[-12:]))
    return done.stdout


def coqc(folder, file, seconds=300):
    return command(["coqc", "-q", "-w", "-all", "-Q", os.path.join(BASE, "model"), "nie.model", "-Q",
                    os.path.join(BASE, "proof/lib"), "nie.lib", "-Q", folder, "nie.generated", file], folder, seconds)


def library():
    """Compiles the C semantics and its lemmas into the build folder; only what changed."""
    stale = False
    for name in LIBRARY:
        source, copy = os.path.join(ROOT, name + ".v"), os.path.join(BASE, name + ".v")
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        with open(source, encoding="utf-8") as f:
            text = f.read()
        old = open(copy, encoding="utf-8").read() if os.path.exists(copy) else None
        if stale or old != text or not os.path.exists(copy + "o"):
            stale = True
            with open(copy, "w", encoding="utf-8") as f:
                f.write(text)
            coqc(fresh("none"), copy)


def translate(folder, sources, base, prims, tool=None, flags=FLAGS):
    """Runs c2coq; returns the generated units in Coq's order."""
    out = command([tool or os.path.join(ROOT, "tools/c2coq"), "--list", "--flags", flags, "--base", base, "--prims",
                   prims, "--out", folder, *sources])
    names = out.split()
    return sorted(n[:-5] for n in names if n.endswith("_deep"))


def functions(source):
    """The functions under test of a C file: rule_* or program_*, with how many arguments."""
    with open(source, encoding="utf-8") as f:
        found = re.findall(r"^uint64_t ((?:rule|program)_\w+)\(([^)]*)\)$", f.read(), re.M)
    return [(name, 0 if args == "void" else args.count(",") + 1) for name, args in found]


def vectors(arity, rng, count):
    """Argument lists: small numbers, edges, and anything."""
    small = {0: [[]], 1: [[v] for v in range(9)], 2: [[0, 0], [0, 1], [1, 0], [1, 1], [3, 3], [2, 5], [5, 2]]}
    found = small.get(arity, [[1] * arity])
    while arity and len(found) < count:
        found.append([rng.choice([rng.choice(EDGES), rng.randrange(12), rng.getrandbits(64)]) for _ in range(arity)])
    return found


DRIVER = """#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static uint64_t inputs, logged[100000], length;
uint64_t input(uint64_t port) { return port * 31 + 7919 * inputs++; }
void output(uint64_t value) { logged[length++ %% 100000] = value; }
%s
static uint64_t call(int k) { switch (k) {
%s
} return 0; }
int main(void) {
	for (int k = 0; k < %d; k++) {
		int status;
		fflush(stdout);
		if (fork() == 0) {
			uint64_t r = call(k);
			printf("1 %%llu", (unsigned long long)r);
			for (uint64_t i = 0; i < length; i++)
				printf(" %%llu", (unsigned long long)logged[i]);
			printf("\\n");
			fflush(stdout);
			_exit(0);
		}
		wait(&status);
		if (!WIFEXITED(status)) { printf("0\\n"); }
	}
	return 0;
}
"""


def native(folder, sources, calls):
    """The results of the calls when clang compiles them: [1, result, log...], or [0] for a trap."""
    os.makedirs(folder, exist_ok=True)
    names = sorted({(f, len(a)) for f, a in calls})
    heads = "\n".join(f"uint64_t {f}({', '.join(['uint64_t'] * n) or 'void'});" for f, n in names)
    cases = "\n".join(f"case {k}: return {f}({', '.join(f'{v}ULL' for v in a)});" for k, (f, a) in enumerate(calls))
    driver = os.path.join(folder, "driver.c")
    with open(driver, "w", encoding="utf-8") as f:
        f.write(DRIVER % (heads, cases, len(calls)))
    program = os.path.join(folder, "native")
    command(["clang-19", "-std=gnu11", "-O1", "-w", "-fstrict-flex-arrays=3", "-fsanitize=undefined", "-fsanitize-trap=undefined", *sources, driver,
             "-o", program])
    return [[int(x) for x in line.split()] for line in command([program]).splitlines()]


RUN = """From Coq Require Import ZArith List String Bool.
From nie.lib Require Import C_text.
From nie.lib Require Import C_order.
From nie.model Require Import C_store.
{bodies}
Import ListNotations.
Open Scope string_scope. Open Scope Z_scope.
Record fake := Fake {{ inputs : Z; logged : list Z }}.
#[local] Instance machine : prims fake := {{|
  hw_input p := fun h => Some ((p * 31 + 7919 * inputs h) mod 2 ^ 64, Fake (inputs h + 1) (logged h));
  hw_output v := fun h => Some (tt, Fake (inputs h) (v :: logged h)) |}}.
Definition calls : list (string * list Z) := [{calls}].
Definition go (c : string * list Z) :=
  match den load store prim [{program}] (fst c) (snd c) (Mach zero_globals (Fake 0 [])) with
  | Some (vs, s) => (1 :: vs ++ rev (logged (hw s)))%list
  | None => [0]
  end.
Set Printing Depth 100000000. Set Printing Width 1000000.
Eval vm_compute in (map go calls).
"""


def body(folder, name):
    """A generated file without its imports."""
    with open(os.path.join(folder, name + ".v"), encoding="utf-8") as f:
        return "".join(l for l in f if not l.startswith(("From ", "Require ")))


def in_coq(folder, units, calls):
    """The results of the same calls by the denotation of the deep terms; all in one file, which is quicker."""
    bodies = "\n".join(body(folder, n) for n in ["Constants", "Globals", "Prims", *(u + "_deep" for u in units)])
    with open(os.path.join(folder, "Program.v"), encoding="utf-8") as f:
        program = re.search(r"Definition core : program gvar :=\s*\[(.*?)\]\.", f.read(), re.S)[1]
    text = RUN.format(
        bodies=bodies, program=program,
        calls="; ".join(f'("{f}", [{"; ".join(map(str, a))}])' for f, a in calls))
    with open(os.path.join(folder, "Run.v"), "w", encoding="utf-8") as f:
        f.write(text)
    out = coqc(folder, "Run.v")
    shown = out[out.index("["):out.rindex(": list")]
    return [[int(x) for x in row.replace(";", " ").split()] for row in re.findall(r"\[([^\[\]]*)\]", shown)]


def lemmas(folder, units, program=True):
    """The readable texts, and that the deep terms mean the same, for each function and the whole."""
    for name in ["Constants", "Globals", "Prims", *(u + "_deep" for u in units)]:
        if not os.path.exists(os.path.join(folder, name + ".vo")):
            coqc(folder, name + ".v")
    for unit in units:
        coqc(folder, unit + ".v")
        coqc(folder, unit + "_same.v", 120)
    if program:
        coqc(folder, "Program.v", 120)


def differences(calls, one, two):
    if len(one) != len(calls) or len(two) != len(calls):
        return [f"{len(calls)} calls gave {len(one)} results compiled and {len(two)} in Coq"]
    return [f"{f}({', '.join(map(hex, a))}): compiled {x[:8]}, in Coq {y[:8]}"
            for (f, a), x, y in zip(calls, one, two) if x != y]


def fresh(name):
    folder = os.path.join(BUILD, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def in_parallel(function, items, jobs=2):
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(function, items))
