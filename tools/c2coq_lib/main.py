# SPDX-License-Identifier: Apache-2.0
"""Command line of c2coq."""
import argparse
import os
import re
import subprocess
import sys

from . import emit
from .check import Order, check_bounds, effects
from .clang import Refused, Types, tree
from .layout import Globals
from .lower import Lower
from .text import RESERVED

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
MAKEFILE = os.path.join(ROOT, "engine")


def build_flags():
    """The flags with which the engine is built: what its Makefile says."""
    ask = ["make", "-s", "-C", MAKEFILE, "--eval=c2coq-flags: ; @echo $(CFLAGS)", "c2coq-flags"]
    return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()


class Core:
    """All translation units, merged: their types agree, each function has one body."""

    def __init__(self, base, prim_header):
        self.base, self.prim_header = base, prim_header
        self.globals, self.constants = Globals(), {}
        self.functions, self.unit_of, self.prims, self.errors, self.ours = {}, {}, {}, [], set()

    def unit(self, file):
        """The name of the generated file for a source file, or None outside the core."""
        path = os.path.relpath(os.path.join(os.getcwd(), file), os.path.join(os.getcwd(), self.base))
        if path.startswith(".."):
            return None
        stem, ext = os.path.splitext(path)
        return stem.replace("-", "_") + ("_h" if ext == ".h" else "")

    def bodies(self, root):
        return [n for n in root["inner"] if n["kind"] == "FunctionDecl" and self.unit(n["at"][0])
                and any(c["kind"] == "CompoundStmt" for c in n.get("inner", []))]

    def renamed(self, roots):
        """Static functions of several C files that share a name get their file's before it."""
        places = {}
        for root in roots:
            for n in self.bodies(root):
                places.setdefault(n["name"], set()).add(n["at"])
        twice = {name for name, at in places.items() if len(at) > 1}
        return [{n["name"]: f"{os.path.basename(self.unit(n['at'][0]))}_{n['name']}" for n in self.bodies(root)
                 if n["name"] in twice and n.get("storageClass") == "static"} for root in roots]

    def read(self, files, flags):
        roots = [tree(file, flags) for file in files]
        for root, names in zip(roots, self.renamed(roots)):
            self.add(root, names)

    def add(self, root, names):
        types = Types(root)
        for name, (value, at) in types.constants.items():
            if self.constants.setdefault(name, (value, at))[0] != value:
                raise Refused(at, f"enumerator '{name}' has two values")
        lower = Lower(types, self.globals, names)
        for node in root["inner"]:
            if node["kind"] == "VarDecl":
                self.globals.declare(types, node)
        for node in root["inner"]:
            if node["kind"] == "FunctionDecl":
                self.function(lower, node)

    def function(self, lower, node):
        name, file = lower.renamed.get(node["name"], node["name"]), node["at"][0]
        if os.path.realpath(file) == os.path.realpath(self.prim_header):
            self.prim(lower, node)
            return
        if not any(n["kind"] == "CompoundStmt" for n in node.get("inner", [])) or self.unit(file) is None:
            return
        try:
            if name in RESERVED or name in self.prims:
                raise Refused(node, f"the name '{name}' is taken")
            if name in self.functions and tuple(self.functions[name].at) != tuple(node["at"]):
                raise Refused(node, f"a second function '{name}'; the first is at {self.functions[name].at[0]}")
            if name not in self.functions:
                self.functions[name] = lower.function(node)
                self.unit_of[name] = self.unit(file)
        except Refused as error:
            self.errors.append(str(error))

    def prim(self, lower, node):
        lower.names, lower.used = {}, set()
        params = []
        for p in [n for n in node.get("inner", []) if n["kind"] == "ParmVarDecl"]:
            params += lower.declare(p)
        results = len(lower.results(node))
        self.prims[node["name"]] = ([p + "'" if p in RESERVED else p for p in params], results)


def relative(core):
    for f in core.functions.values():
        f.at = (os.path.relpath(os.path.join(os.getcwd(), f.at[0]), ROOT) if not f.at[0].startswith("/tmp")
                else os.path.basename(f.at[0]), f.at[1])


def check_names(core):
    """Each function f gives f_deep and so on: none of these may be a function of the C."""
    for f in core.functions.values():
        for suffix in ("deep", "sem", "same", "means", "callees", "program", "table", "agrees"):
            if f"{f.name}_{suffix}" in core.functions:
                raise Refused(f.at, f"'{f.name}' and '{f.name}_{suffix}' would share a name in Coq")


def merge_cycles(core):
    """C files that call each other become one Coq file, named by both."""
    calls = {}
    for f in core.functions.values():
        calls.setdefault(core.unit_of[f.name], set()).update(core.unit_of[c] for c in f.callees if c in core.functions)
    reach = {u: set(v) for u, v in calls.items()}
    while any(grow(reach, u) for u in reach):
        pass
    names = {}
    for u in reach:
        group = sorted({v for v in reach[u] if u in reach.get(v, ())} | {u})
        names[u] = group[0] + "".join("_and_" + os.path.basename(v) for v in group[1:])
    core.unit_of = {f: names[u] for f, u in core.unit_of.items()}


def grow(reach, u):
    more = set().union(reach[u], *(reach.get(v, set()) for v in reach[u]))
    grew = more != reach[u]
    reach[u] = more
    return grew


def unit_order(core, order):
    """Files such that each calls only earlier ones and itself."""
    merge_cycles(core)
    done = []

    def visit(unit):
        if unit in done:
            return
        for other in sorted({core.unit_of[c] for f in order if core.unit_of[f.name] == unit for c in f.callees
                             if c in core.functions} - {unit}):
            visit(other)
        done.append(unit)

    for f in order:
        visit(core.unit_of[f.name])
    return done


def inside(core, unit):
    """The functions of one file in the order of the C, but callees first."""
    done = []

    def visit(f):
        for c in f.callees:
            if core.unit_of.get(c) == unit and core.functions[c] not in done:
                visit(core.functions[c])
        if f not in done:
            done.append(f)

    for f in sorted((f for f in core.functions.values() if core.unit_of[f.name] == unit), key=lambda f: f.at):
        visit(f)
    return done


def translate(core, out, order):
    relative(core)
    results = {n: r for n, (_, r) in core.prims.items()}
    results.update({f.name: len(f.results) for f in order})
    taken = set(core.functions) | set(core.prims) | set(core.constants) | set(core.globals.leaves)
    units = unit_order(core, order)
    order = [f for unit in units for f in inside(core, unit)]
    files = {"Constants": emit.constants(core.constants), "Globals": emit.globals_(core.globals),
             "Prims": emit.prims([(n, p, r) for n, (p, r) in core.prims.items()])}
    for unit in units:
        mine = [f for f in order if core.unit_of[f.name] == unit]
        needs = {core.unit_of[c] for f in mine for c in f.callees if c in core.functions} - {unit}
        source = mine[0].at[0]
        files[unit] = emit.readable(unit, source, mine, sorted(needs), results.get, taken)
        files[unit + "_deep"] = emit.terms(unit, source, mine)
        files[unit + "_same"] = emit.same(unit, source, mine, sorted(needs))
    files["Program"] = emit.program(order, units)
    for name, text in files.items() if out else ():
        emit.write(os.path.join(out, name + ".v"), text)
    if out:
        emit.forget(out, files)
    return files


def main():
    parser = argparse.ArgumentParser(prog="c2coq", description=(
        "Translates the core's C to Coq: readable text, deep terms, and lemmas that both mean the same. "
        "What it accepts is in docs/SUBSET.md; anything else is refused with file, line and reason."))
    parser.add_argument("files", nargs="*", help="C files; default: engine/core/**/*.c")
    parser.add_argument("--check", action="store_true", help="translate, but write nothing")
    parser.add_argument("--out", default=os.path.join(ROOT, "proof/generated"), help="folder of the Coq files")
    parser.add_argument("--base", default=os.path.join(ROOT, "engine/core"), help="folder whose functions count")
    parser.add_argument("--prims", help="header that declares the primitives; default: prim.h in the base")
    parser.add_argument("--flags", help="clang's flags; default: those of engine/Makefile")
    parser.add_argument("--list", action="store_true", help="print the names of the files written")
    a = parser.parse_args()
    files = a.files or sorted(os.path.join(d, f) for d, _, fs in os.walk(a.base) for f in fs if f.endswith(".c"))
    core = Core(a.base, a.prims or os.path.join(a.base, "prim.h"))
    written = {}
    try:
        core.read(files, (a.flags or build_flags()).split())
        changes, reads, order = effects(core.functions, set(core.prims)) if not core.errors else ((), (), [])
        check_names(core)
        check_bounds(order)
        for f in order:
            Order(changes, reads).check(f)
        if not core.errors:
            written = translate(core, None if a.check else a.out, order)
    except Refused as error:
        core.errors.append(str(error))
    for error in core.errors:
        print(re.sub(re.escape(ROOT + os.sep), "", error), file=sys.stderr)
    if a.list:
        print("\n".join(sorted(written)))
    return 1 if core.errors else 0
