# SPDX-License-Identifier: Apache-2.0
"""Rules about whole programs: no recursion, one order of evaluation, a body for each callee."""
from .clang import Refused
from .ir import each_expression, each_statement, every_expression, expressions, parts


def effects(functions, prims):
    """Which functions change state, and which read it; callees first in the order that is returned."""
    changes, reads, order, busy = set(prims), set(prims), [], []

    def visit(f):
        if f.name in busy:
            raise Refused(f.at, f"recursion: {' -> '.join(busy[busy.index(f.name):] + [f.name])}")
        if f in order:
            return
        busy.append(f.name)
        for callee in f.callees:
            if callee in functions:
                visit(functions[callee])
            elif callee not in prims:
                raise Refused(f.at, f"'{f.name}' calls '{callee}', which has no body in the core and is no primitive")
        busy.pop()
        order.append(f)
        if any(s[0] == "Store" for s in each_statement(f.body)) or changes & set(f.callees):
            changes.add(f.name)
        if any(e[0] == "Load" for e in every_expression(f.body)) or reads & set(f.callees):
            reads.add(f.name)

    for f in functions.values():
        visit(f)
    return changes, reads, order


def check_bounds(order):
    """A loop's bound is evaluated before each round in C, once in model/C.v: nothing may change it."""
    stores = {}

    def stored(s):
        found = {x[1] for x in each_statement(s) if x[0] == "Store"}
        called = {x[2] for x in each_statement(s) if x[0] == "Calls"}
        called |= {e[1] for e in every_expression(s) if e[0] == "Call"}
        return found.union(*(stores.get(c, set()) for c in called))

    for f in order:
        stores[f.name] = stored(f.body)
        for s in each_statement(f.body):
            if s[0] == "For":
                both = {e[1] for e in each_expression(s[3]) if e[0] == "Load"} & stored(s[4])
                if both:
                    raise Refused(f.at, f"in '{f.name}', a loop may change '{both.pop()}', which its bound reads")


class Order:
    """C leaves the order of operands open (6.5p3, 6.5.2.2p10): it must not matter."""

    def __init__(self, changes, reads):
        self.changes, self.reads = changes, reads

    def check(self, f):
        for s in each_statement(f.body):
            for e in list(expressions(s)) + (list(s[2:4]) if s[0] == "For" else []):
                self.inside(e, f)
            if s[0] != "For":
                self.siblings(list(expressions(s)), f)

    def inside(self, e, f):
        for part in parts(e):
            self.inside(part, f)
        if e[0] not in ("LAnd", "LOr", "Cond"):       # sequence points: 6.5.13p4, 6.5.14p4, 6.5.15p4
            self.siblings(parts(e), f)

    def siblings(self, operands, f):
        for i, a in enumerate(operands):
            for j, b in enumerate(operands):
                if i != j and self.any(a, self.changes, False) and self.any(b, self.reads | self.changes, True):
                    raise Refused(f.at, f"in '{f.name}', a call that changes state stands beside one that reads or "
                                        "changes it, in an order that C leaves open: name one in a local first")

    def any(self, e, names, loads):
        here = (loads and e[0] == "Load") or (e[0] == "Call" and e[1] in names)
        return here or any(self.any(part, names, loads) for part in parts(e))
