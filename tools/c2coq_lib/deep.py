# SPDX-License-Identifier: Apache-2.0
"""Prints the syntax of model/C.v as Coq terms."""


def number(n):
    if n < 0:
        return f"({n})"
    return str(n) if n < 4096 else hex(n)


def const(e):
    return e[2] or number(e[1])


def quoted(x):
    return f'"{x}"'


def items(l):
    return "[" + "; ".join(l) + "]"


def expr(e):
    head = e[0]
    if head == "Const":
        body = f"Const {const(e)}"
    elif head == "Var":
        body = f"Var {quoted(e[1])}"
    elif head in ("Load", "Call"):
        name = e[1] if head == "Load" else quoted(e[1])
        body = f"{head} {name} {items([expr(x) for x in e[2]])}"
    else:
        body = " ".join([head, *(x if isinstance(x, str) else expr(x) for x in e[1:])])
    return f"({body})"


def block(s, indent):
    """Lines of a statement."""
    pad, head = "  " * indent, s[0]
    if head == "Seq":
        return [*wrap(f"{pad}(Seq", block(s[1], indent + 1)), *close(block(s[2], indent))]
    if head == "If":
        return [f"{pad}(If {expr(s[1])}", *block(s[2], indent + 1), *close(block(s[3], indent + 1))]
    if head == "For":
        return [f"{pad}(For {quoted(s[1])} {expr(s[2])} {expr(s[3])}", *close(block(s[4], indent + 1))]
    return [pad + simple(s)]


def wrap(first, rest):
    return [first + " " + rest[0].lstrip(), *rest[1:]]


def close(lines):
    return [*lines[:-1], lines[-1] + ")"]


def simple(s):
    head = s[0]
    if head == "Skip":
        return "Skip"
    if head == "Decl":
        body = f"Decl {quoted(s[1])}"
    elif head == "Assign":
        body = f"Assign {quoted(s[1])} {expr(s[2])}"
    elif head == "Store":
        body = f"Store {s[1]} {items([expr(x) for x in s[2]])} {expr(s[3])}"
    elif head == "Calls":
        body = f"Calls {items([quoted(x) for x in s[1]])} {quoted(s[2])} {items([expr(x) for x in s[3]])}"
    elif head == "Alias":
        body = f"Alias {quoted(s[1])} {number(s[2])} {expr(s[3])}"
    else:
        body = f"Ret {items([expr(x) for x in s[1]])}"
    return f"({body})"


def function(f):
    return [f"Definition {f.name}_deep : function gvar := Function {quoted(f.name)}",
            f"  {items([quoted(p) for p in f.params])} {len(f.results)}", *close(block(f.body, 1))[:-1],
            block(f.body, 1)[-1] + "."]
