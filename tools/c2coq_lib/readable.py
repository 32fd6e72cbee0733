# SPDX-License-Identifier: Apache-2.0
"""The readable text of one function; see text.py. Continuations are Python functions to lines."""
from .clang import Refused, highest, lowest, signed
from .deep import const, items, number
from .ir import mods, union
from .text import (COMPARE, RESERVED, UNSIGNED, V, bind, branch, constant, direct, falls, indent, paren, pattern,
                   returns, sets, simple, total, tuple_of, within, wrapped)


class Readable:
    def __init__(self, f, results_of, taken):
        self.f, self.results_of, self.count = f, results_of, 0
        self.taken = RESERVED | taken

    def name(self, x):
        """The Coq name of a local."""
        return x + "'" if x in self.taken else x

    def temp(self):
        self.count += 1
        return f"t{self.count}"

    def fold(self, n):
        return V(number(n))

    # --- expressions: k takes a V

    def ev(self, e, en, k, want=None):
        """want: the name that a step gives its value."""
        return getattr(self, "ev_" + e[0])(e, en, k, want)

    def step(self, action, k, want):
        x = want or self.temp()
        return bind([x], [action], k(V(x)))

    def each(self, es, en, k):
        def go(i, terms):
            if i == len(es):
                return k(terms)
            return self.ev(es[i], en, lambda v: go(i + 1, [*terms, v.z]))
        return go(0, [])

    def ev_Const(self, e, en, k, want):
        return k(V(const(e)))

    def ev_Var(self, e, en, k, want):
        if e[1] not in en:
            raise Refused(self.f.at, f"in '{self.f.name}', local '{e[1]}' may be read before it has a value")
        return k(V(en[e[1]]))

    def ev_Load(self, e, en, k, want):
        return self.each(e[2], en, lambda vs: self.step(f"load {e[1]} {items(vs)}", k, want))

    def ev_Call(self, e, en, k, want):
        return self.each(e[2], en, lambda vs: self.step(self.call(e[1], vs), k, want))

    @staticmethod
    def call(f, vs):
        return " ".join([f, *(paren(v) for v in vs)])

    def ev_Cast(self, e, en, k, want):
        _, source, target, a = e
        if within(source, target):
            return self.ev(a, en, k, want)
        n = constant(a)
        if target == "Bool":
            if n is not None:
                return k(self.fold(int(n != 0)))
            return self.ev(a, en, lambda v: k(V(v.b, True)))
        if n is not None:
            if lowest(target) <= n <= highest(target):
                return self.ev(a, en, k, want)
            if signed(target):
                raise Refused(self.f.at, f"in '{self.f.name}', a constant does not fit its type")
            return k(self.fold(wrapped(target, n)))
        if signed(target):
            return self.ev(a, en, lambda v: self.step(f"lift (cast {source} {target} {paren(v.z)})", k, None))
        return self.ev(a, en, lambda v: k(V(f"wrap {target} {paren(v.z)}")))

    def ev_Unop(self, e, en, k, want):
        _, o, t, a = e
        if signed(t):
            n = constant(e)
            if n is not None:
                return k(self.fold(n))
            return self.ev(a, en, lambda v: self.step(f"lift (unary {o} {t} {paren(v.z)})", k, None))
        sign = {"Neg": "- {}", "Not": "Z.lnot {}"}[o]
        return self.ev(a, en, lambda v: k(V(f"wrap {t} ({sign.format(paren(v.z))})")))

    def ev_Binop(self, e, en, k, want):
        _, o, t, a, b = e
        if not total(o, t, b):
            n = constant(e)
            if n is not None:
                return k(self.fold(n))

        def done(v, w):
            x, y = paren(v.z), paren(w.z)
            if not total(o, t, b):
                return self.step(f"lift (binary {o} {t} {x} {y})", k, None)
            if o in COMPARE:
                return k(V(COMPARE[o].format(a=x, b=y), True))
            return k(V(UNSIGNED[o].format(t=t, a=x, b=y)))
        return self.ev(a, en, lambda v: self.ev(b, en, lambda w: done(v, w)))

    def ev_LNot(self, e, en, k, want):
        return self.ev(e[1], en, lambda v: k(
            V(f"negb {paren(v.term)}" if v.boolean else f"{paren(v.term)} =? 0", True)))

    def ev_LAnd(self, e, en, k, want):
        return self.logic(e, en, k, "&&")

    def ev_LOr(self, e, en, k, want):
        return self.logic(e, en, k, "||")

    def logic(self, e, en, k, sign):
        _, a, b = e

        def after(v):
            if simple(b):
                return self.ev(b, en, lambda w: k(V(f"{paren(v.b)} {sign} {paren(w.b)}", True)))
            other = self.ev(b, en, lambda w: ["ret " + paren(w.b)])
            action = branch(v.b, other, ["ret false"]) if sign == "&&" else branch(v.b, ["ret true"], other)
            x = self.temp()
            return bind([x], action, k(V(x, True)))
        return self.ev(a, en, after)

    def ev_Cond(self, e, en, k, want):
        _, c, a, b = e

        def after(v):
            if simple(a) and simple(b):
                return self.ev(a, en, lambda x: self.ev(b, en, lambda y: k(
                    V(f"if {v.b} then {x.z} else {y.z}"))))
            one, two = [self.ev(x, en, lambda w: ["ret " + paren(w.z)]) for x in (a, b)]
            x = want or self.temp()
            return bind([x], branch(v.b, one, two), k(V(x)))
        return self.ev(c, en, after)

    # --- statements: go takes an environment, leave a term

    def ex(self, s, last, en, go, leave):
        return getattr(self, "ex_" + s[0])(s, last, en, go, leave)

    def ex_Skip(self, s, last, en, go, leave):
        return go(en)

    def ex_Seq(self, s, last, en, go, leave):
        return self.ex(s[1], False, en, lambda en2: self.ex(s[2], last, en2, go, leave), leave)

    def ex_Decl(self, s, last, en, go, leave):
        return go({x: t for x, t in en.items() if x != s[1]})

    def ex_Assign(self, s, last, en, go, leave):
        x = self.name(s[1])
        if direct(s[2]):
            return self.ev(s[2], en, lambda v: go({**en, s[1]: v.z}), x)
        return self.ev(s[2], en, lambda v: bind([x], ["ret " + paren(v.z)], go({**en, s[1]: x})))

    def ex_Store(self, s, last, en, go, leave):
        return self.each(s[2], en, lambda vs: self.ev(s[3], en, lambda v: bind(
            [], [f"store {s[1]} {items(vs)} {paren(v.z)}"], go(en))))

    def ex_Calls(self, s, last, en, go, leave):
        names = [self.name(x) for x in s[1]]
        if len(names) != self.results_of(s[2]):
            raise Refused(self.f.at, f"in '{self.f.name}', the results of '{s[2]}' do not match")
        return self.each(s[3], en, lambda vs: bind(names, [self.call(s[2], vs)], go({**en, **dict(zip(s[1], names))})))

    def ex_Alias(self, s, last, en, go, leave):
        x = self.name(s[1])
        return self.ev(s[3], en, lambda v: bind([x], [f"index {number(s[2])} {paren(v.z)}"], go({**en, s[1]: x})))

    def ex_Ret(self, s, last, en, go, leave):
        if len(s[1]) != len(self.f.results):
            raise Refused(self.f.at, f"in '{self.f.name}', a return of {len(s[1])} scalars, not {len(self.f.results)}")
        return self.each(s[1], en, lambda vs: leave(tuple_of(vs)))

    def packed(self, xs, mark):
        def go(en):
            term = tuple_of([en[x] for x in xs])
            return [f"ret (Next {paren(term)})" if mark else "ret " + paren(term)]
        return go

    def outcome(self, xs, en, action, go, leave, mark):
        """Binds the locals that come out of a branch or a loop; goes on, or leaves."""
        names = [self.name(x) for x in xs]
        out = {**en, **dict(zip(xs, names))}
        if not mark:
            return bind(names, action, go(out))
        o = self.temp()
        shape = "_" if not names else tuple_of(names)
        return bind([o], action, [f"match {o} with", "| Return r =>", *indent(leave("r")), f"| Next {shape} =>",
                                  *indent(go(out)), "end"])

    def ex_If(self, s, last, en, go, leave):
        _, c, a, b = s

        def after(v):
            if not (falls(a) and falls(b)) or last:
                return branch(v.b, self.ex(a, last, en, go, leave), self.ex(b, last, en, go, leave))
            xs = [x for x in union(mods(a), mods(b)) if all(x in en or x in sets(side) for side in (a, b))]
            mark = returns(a) or returns(b)
            sides = [self.ex(side, True, en, self.packed(xs, mark), lambda r: [f"ret (Return {paren(r)})"])
                     for side in (a, b)]
            return self.outcome(xs, en, branch(v.b, *sides), go, leave, mark)
        return self.ev(c, en, after)

    def ex_For(self, s, last, en, go, leave):
        _, x, lo, hi, body = s

        def loop(i, n):
            xs = [y for y in mods(body) if y in en]
            mark, names, counter = returns(body), [self.name(y) for y in xs], self.name(x)
            start = paren(tuple_of([en[y] for y in xs]))
            inside = self.ex(body, True, {**en, **dict(zip(xs, names)), x: counter}, self.packed(xs, mark),
                             lambda r: [f"ret (Return {paren(r)})"])
            head = f"{'loop_ret' if mark else 'loop'} {paren(i.z)} {paren(n.z)} {start} (fun {counter} {pattern(names)} =>"
            return self.outcome(xs, en, [head, *indent(inside)[:-1], indent(inside)[-1] + ")"], go, leave, mark)
        return self.ev(lo, en, lambda i: self.ev(hi, en, lambda n: loop(i, n)))

    def lines(self):
        f = self.f
        en = {x: self.name(x) for x in f.params}

        def end(_):
            if f.results:
                raise Refused(f.at, f"'{f.name}' can end without a return")
            return ["ret tt"]
        body = self.ex(f.body, True, en, end, lambda r: ["ret " + paren(r)])
        binder = f" ({' '.join(self.name(x) for x in f.params)} : Z)" if f.params else ""
        kind = {0: "unit"}.get(len(f.results), " * ".join(["Z"] * len(f.results)))
        note = f"   returns {', '.join(f.results)}" if len(f.results) > 1 else ""
        return [f"(* {f.at[0]}:{f.at[1]}{note} *)",
                f"Definition {f.name}{binder} : M (mach globals H) {paren(kind)} :=", *indent(body)[:-1],
                indent(body)[-1] + "."]
