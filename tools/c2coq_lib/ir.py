# SPDX-License-Identifier: Apache-2.0
"""The syntax of model/C.v in Python, constructor by constructor; tuples whose head is the name."""
from dataclasses import dataclass, field

# Expressions: ("Const", n, name or None) ("Var", x) ("Load", g, [e]) ("Cast", from, to, e) ("Unop", o, t, e)
#   ("Binop", o, t, a, b) ("LNot", e) ("LAnd", a, b) ("LOr", a, b) ("Cond", c, a, b) ("Call", f, [e])
# Statements: ("Skip",) ("Seq", a, b) ("Decl", x) ("Assign", x, e) ("Store", g, [e], e) ("Calls", [x], f, [e])
#   ("Alias", x, n, e) ("If", c, a, b) ("For", x, lo, hi, s) ("Ret", [e])


@dataclass
class Function:
    name: str
    at: tuple
    params: list
    results: list          # the names of what it returns, for a comment
    static: bool
    body: tuple = ("Skip",)
    callees: list = field(default_factory=list)


def seq(statements):
    statements = [s for s in statements if s != ("Skip",)]
    if not statements:
        return ("Skip",)
    result = statements[-1]
    for s in reversed(statements[:-1]):
        result = ("Seq", s, result)
    return result


def parts(e):
    """The operands of an expression, in order."""
    head = e[0]
    if head in ("Const", "Var"):
        return []
    if head in ("Load", "Call"):
        return e[2]
    return [x for x in e[1:] if isinstance(x, tuple)]


def expressions(s):
    """The expressions of one statement that C leaves unordered, without those of inner statements."""
    head = s[0]
    if head == "Assign":
        return [s[2]]
    if head == "Store":
        return [*s[2], s[3]]
    if head in ("Calls", "Alias"):
        return s[3] if head == "Calls" else [s[3]]
    if head == "If":
        return [s[1]]
    return s[1] if head == "Ret" else []


def inner(s):
    if s[0] in ("Seq",):
        return [s[1], s[2]]
    if s[0] == "If":
        return [s[2], s[3]]
    return [s[4]] if s[0] == "For" else []


def each_statement(s):
    yield s
    for child in inner(s):
        yield from each_statement(child)


def each_expression(e):
    yield e
    for child in parts(e):
        yield from each_expression(child)


def every_expression(s):
    for one in each_statement(s):
        for e in expressions(one) + (list(one[2:4]) if one[0] == "For" else []):
            yield from each_expression(e)


def variables(e):
    return {x[1] for x in each_expression(e) if x[0] == "Var"}


def union(a, b):
    return a + [x for i, x in enumerate(b) if x not in a and x not in b[:i]]


def mods(s):
    head = s[0]
    if head in ("Assign", "Alias", "Decl"):
        return [s[1]]
    if head == "Calls":
        return list(s[1])
    if head == "Seq":
        return union(mods(s[1]), mods(s[2]))
    if head == "If":
        return union(mods(s[2]), mods(s[3]))
    return union([s[1]], mods(s[4])) if head == "For" else []
