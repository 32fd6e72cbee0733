# SPDX-License-Identifier: Apache-2.0
"""Prints the readable text of a function: the very computation of proof/lib/C_text.v, with names.
Nothing here is trusted: a Coq lemma compares each text with what C_text.v computes."""
from .clang import Refused, highest, lowest, signed
from .deep import const, items, number
from .ir import mods, union

RESERVED = set("""as at cofix else end exists exists2 fix for forall fun if IF in let match mod Prop return Set then
Type using where with ret bind crash lift load store index loop loop_ret wrap cast unary binary b2z negb tt Some None
true false on_hw state hw H P r""".split())
UNSIGNED = {"Add": "wrap {t} ({a} + {b})", "Sub": "wrap {t} ({a} - {b})", "Mul": "wrap {t} ({a} * {b})",
            "Div": "{a} / {b}", "Mod": "{a} mod {b}", "And": "Z.land {a} {b}", "Or": "Z.lor {a} {b}",
            "Xor": "Z.lxor {a} {b}", "Shl": "wrap {t} (Z.shiftl {a} {b})", "Shr": "Z.shiftr {a} {b}"}
COMPARE = {"Eq": "{a} =? {b}", "Ne": "negb ({a} =? {b})", "Lt": "{a} <? {b}", "Le": "{a} <=? {b}",
           "Gt": "{b} <? {a}", "Ge": "{b} <=? {a}"}
WIDTHS = {"Bool": 1, "U8": 8, "U16": 16, "U32": 32, "U64": 64, "I8": 8, "I16": 16, "I32": 32, "I64": 64}


def within(a, b):
    return lowest(b) <= lowest(a) and highest(a) <= highest(b)


def wrapped(t, v):
    return v % (1 << WIDTHS[t])


def constant(e):
    """The value of an expression of constants, or None; as C_text.constant."""
    head = e[0]
    if head == "Const":
        return e[1]
    if head == "Cast":
        v = constant(e[3])
        if v is None or within(e[1], e[2]):
            return v
        if e[2] == "Bool":
            return int(v != 0)
        return (v if lowest(e[2]) <= v <= highest(e[2]) else None) if signed(e[2]) else wrapped(e[2], v)
    if head == "Unop":
        v = constant(e[3])
        return None if v is None else settle(e[2], -v if e[1] == "Neg" else ~v)
    if head == "Binop":
        a, b = constant(e[3]), constant(e[4])
        return None if a is None or b is None else binary(e[1], e[2], a, b)
    return None


def settle(t, v):
    return (v if lowest(t) <= v <= highest(t) else None) if signed(t) else wrapped(t, v)


def binary(o, t, a, b):
    simple = {"Add": a + b, "Sub": a - b, "Mul": a * b}
    if o in simple:
        return settle(t, simple[o])
    if o in ("Div", "Mod"):
        if b == 0 or (signed(t) and (a < 0 or b < 0)):
            return None
        return a // b if o == "Div" else a % b
    if o in ("Shl", "Shr"):
        if not 0 <= b < WIDTHS[t] or (signed(t) and a < 0):
            return None
        return settle(t, a << b) if o == "Shl" else a >> b
    return {"And": a & b, "Or": a | b, "Xor": a ^ b, "Eq": int(a == b), "Ne": int(a != b), "Lt": int(a < b),
            "Le": int(a <= b), "Gt": int(a > b), "Ge": int(a >= b)}[o]


def total(o, t, b):
    if o in ("Add", "Sub", "Mul"):
        return not signed(t)
    n = constant(b)
    if o in ("Div", "Mod"):
        return n is not None and not signed(t) and n > 0
    if o in ("Shl", "Shr"):
        return n is not None and not signed(t) and 0 <= n < WIDTHS[t]
    return True


def simple(e):
    head = e[0]
    if head in ("Const", "Var"):
        return True
    if head in ("Load", "Call"):
        return False
    known = constant(e) is not None
    if head == "Cast":
        return (within(e[1], e[2]) or not signed(e[2]) or known) and simple(e[3])
    if head == "Unop":
        return (not signed(e[2]) or known) and simple(e[3])
    if head == "Binop":
        return (total(e[1], e[2], e[4]) or known) and simple(e[3]) and simple(e[4])
    return all(simple(x) for x in e[1:])


def direct(e):
    if e[0] in ("Load", "Call"):
        return True
    if e[0] == "Cast":
        return within(e[1], e[2]) and direct(e[3])
    return e[0] == "Cond" and not (simple(e[2]) and simple(e[3]))


def falls(s):
    if s[0] == "Seq":
        return falls(s[1]) and falls(s[2])
    if s[0] == "If":
        return falls(s[2]) or falls(s[3])
    return s[0] != "Ret"


def returns(s):
    if s[0] in ("Seq", "If"):
        return returns(s[-2]) or returns(s[-1])
    return s[0] == "Ret" or (s[0] == "For" and returns(s[4]))


def sets(s):
    head = s[0]
    if head in ("Assign", "Alias"):
        return [s[1]]
    if head == "Calls":
        return list(s[1])
    if head == "Seq":
        return union(sets(s[1]), sets(s[2]))
    if head == "If":
        a, b = s[2], s[3]
        if falls(a) and falls(b):
            return [x for x in sets(a) if x in sets(b)]
        return sets(a) if falls(a) else sets(b)
    return []


class V:
    """A value: a Coq term of sort Z or bool."""

    def __init__(self, term, boolean=False):
        self.term, self.boolean = term, boolean

    @property
    def z(self):
        return f"b2z {paren(self.term)}" if self.boolean else self.term

    @property
    def b(self):
        return self.term if self.boolean else f"negb ({paren(self.term)} =? 0)"


def paren(term):
    return term if term.replace("_", "").replace("'", "").isalnum() or term[0] in "([" and closes(term) else f"({term})"


def closes(term):
    """The first bracket of the term closes at its end."""
    depth = 0
    for i, c in enumerate(term):
        depth += (c in "([") - (c in ")]")
        if depth == 0:
            return i == len(term) - 1
    return False


def indent(lines):
    return ["  " + l for l in lines]


def pattern(names):
    return {0: "_", 1: names[0] if names else ""}.get(len(names), "'(" + ", ".join(names) + ")")


def tuple_of(terms):
    if not terms:
        return "tt"
    return terms[0] if len(terms) == 1 else "(" + ", ".join(terms) + ")"


def bind(names, action, rest):
    """names <- action ;; rest, where action is a list of lines."""
    action = action if len(action) == 1 else ["(" + action[0], *action[1:-1], action[-1] + ")"]
    first = "" if not names else pattern(names) + " <- "
    lines = [first + action[0], *indent(action[1:])]
    lines[-1] += " ;;" if names else " ;;;"
    return lines + rest


def branch(c, a, b):
    if len(b) == 1 or b[0].startswith("if "):
        b[0] = "else " + b[0]
        return ["if " + c + " then", *indent(a), *b]
    return [f"if {c} then", *indent(a), "else", *(b if len(b) > 3 else indent(b))]
