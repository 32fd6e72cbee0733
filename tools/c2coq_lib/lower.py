# SPDX-License-Identifier: Apache-2.0
"""Statements, from clang's tree to the syntax of model/C.v. Trusted: docs/SUBSET.md, rule by rule."""
from .clang import Refused, highest
from .ir import each_expression, mods, seq, variables
from .places import strip
from .values import BINARY, Values


class Lower(Values):
    # --- statements

    def statement(self, node):
        kind = node["kind"]
        method = getattr(self, "do_" + kind, None)
        if method is None:
            raise Refused(node, f"{kind} is not in the subset")
        return method(node)

    def do_NullStmt(self, _):
        return ("Skip",)

    def do_CompoundStmt(self, node):
        return seq([self.statement(n) for n in node.get("inner", [])])

    def do_ParenExpr(self, node):
        return self.statement(node["inner"][0])

    def do_DeclStmt(self, node):
        return seq([self.local(n) for n in node["inner"] if n["kind"] != "StaticAssertDecl"])

    def local(self, node):
        if node["kind"] != "VarDecl":
            raise Refused(node, f"{node['kind']} inside a function is not in the subset")
        if "*" in node["type"]["qualType"]:
            return self.local_alias(node)
        init = node["inner"][0] if "init" in node else None
        if init is None:
            return seq([("Decl", x) for x in self.declare(node)])
        given = self.evaluated(init)
        return self.assign_all([("Var", x) for x in self.declare(node)], given, node)

    def local_alias(self, node):
        init = strip(node["inner"][0]) if "init" in node else {"kind": ""}
        pointee = node["type"]["qualType"].replace("*const", "*")
        if self.types.struct_tag(pointee[:-1]) is None or "const" in pointee:
            raise Refused(node, "the only pointers are aliases 'struct x *p = &object[i]'")
        if init["kind"] != "UnaryOperator" or init["opcode"] != "&":
            raise Refused(node, "an alias must be '&object[i]', where it is declared")
        where = self.place(init["inner"][0])
        if where[0] != "global":
            raise Refused(node, "an alias names a global object")
        dims = [d for name, (d, _, _) in self.globals.leaves.items()
                if name == where[1] or name.startswith("_".join((where[1], *where[2])) + "_")][0]
        steps, held = [], []
        for e, n in zip(where[3], dims):
            if e[0] == "Var" and e[1] in self.alias_indices():
                held.append(e)
                continue
            name = self.fresh(node["name"])
            steps.append(("Alias", name, n, e))
            held.append(("Var", name))
        self.alias[node["id"]] = (*where[:3], held)
        return seq(steps)

    def alias_indices(self):
        return {e[1] for a in self.alias.values() for e in a[3]}

    # A call of several results stands alone: ("call", f, args); everything else is its scalars.
    # Third: statements that must come first.
    def evaluated(self, node):
        node = strip(node)
        if node["kind"] == "CallExpr" and len(self.results_of(node)) > 1:
            return ("call", self.called(node), [])
        if node.get("castKind") == "LValueToRValue" and strip(node["inner"][0])["kind"] != "CompoundLiteralExpr":
            first, where = self.held(self.place(node["inner"][0]), node)
            return ("values", self.leaves_of(where, node["type"]["qualType"], node), first)
        return ("values", self.value(node), [])

    def held(self, where, node):
        """A struct is copied scalar by scalar: its indices are worked out once, before."""
        first, indices = [], []
        if where[0] == "local" or len(self.types.leaves(node["type"]["qualType"], node)) == 1:
            return first, where
        for e in where[3]:
            if e[0] not in ("Var", "Const"):
                name = self.fresh("index")
                first.append(("Assign", name, e))
                e = ("Var", name)
            indices.append(e)
        return first, (*where[:3], indices)

    def assign_all(self, targets, given, node):
        """targets := given; a target is a Var or a Load."""
        if given[0] == "call":
            if all(t[0] == "Var" for t in targets):
                return ("Calls", [t[1] for t in targets], *given[1])
            names = [self.fresh("value") for _ in targets]
            call = ("Calls", names, *given[1])
            return seq([call, *[self.assign(t, ("Var", n)) for t, n in zip(targets, names)]])
        done = set()
        for t, e in zip(targets, given[1]):
            if len(targets) > 1 and t[0] == "Var" and variables(e) & done:
                raise Refused(node, "a struct is built from members of itself that change meanwhile")
            done.add(t[1])
        return seq([*given[2], *[self.assign(t, e) for t, e in zip(targets, given[1])]])

    def assign(self, target, e):
        return ("Assign", target[1], e) if target[0] == "Var" else ("Store", target[1], target[2], e)

    def do_BinaryOperator(self, node):
        if node["opcode"] != "=":
            raise Refused(node, f"a statement must not be a mere '{node['opcode']}'")
        target, source = node["inner"]
        first, where = self.held(self.place(target), node)
        targets = self.leaves_of(where, node["type"]["qualType"], node)
        if any(t[0] == "Load" and t[1] in self.globals.tables for t in targets):
            raise Refused(node, "a constant table is not assigned")
        return seq([*first, self.assign_all(targets, self.evaluated(source), node)])

    def do_CompoundAssignOperator(self, node):
        target, source = node["inner"]
        place = self.leaves_of(self.place(target), target["type"]["qualType"], node)[0]
        t = self.types.of(target)
        left = self.types.integer(node["computeLHSType"]["qualType"], node)
        done = self.types.integer(node["computeResultType"]["qualType"], node)
        value = self.cast(left, t, ("Binop", BINARY[node["opcode"][:-1]], left,
                                    self.cast(t, left, place), self.expr(source)))
        if left != done:
            raise Refused(node, "this compound assignment computes in two types")
        return self.assign(place, value)

    @staticmethod
    def cast(source, target, e):
        return e if source == target else ("Cast", source, target, e)

    def do_UnaryOperator(self, node):
        if node["opcode"] not in ("++", "--"):
            raise Refused(node, f"a statement must not be a mere '{node['opcode']}'")
        target = node["inner"][0]
        place = self.leaves_of(self.place(target), target["type"]["qualType"], node)[0]
        t = self.types.of(target)
        wide = t if t in ("U32", "U64", "I32", "I64") else "I32"       # C11 6.3.1.1p2
        op = "Add" if node["opcode"] == "++" else "Sub"
        return self.assign(place, self.cast(wide, t, ("Binop", op, wide, self.cast(t, wide, place),
                                                      ("Const", 1, None))))

    def do_CallExpr(self, node):
        f, args = self.called(node)
        return ("Calls", [self.fresh("unused") for _ in self.results_of(node)], f, args)

    def do_CStyleCastExpr(self, node):
        inner = strip(node["inner"][0])
        if node["castKind"] != "ToVoid":
            raise Refused(node, "a statement must not be a mere value")
        if inner["kind"] == "CallExpr":
            return self.do_CallExpr(inner)
        if any(e[0] in ("Load", "Call") for v in self.value(inner) for e in each_expression(v)):
            raise Refused(node, "only a local or a call is discarded by (void)")
        return ("Skip",)

    def do_IfStmt(self, node):
        inner = node["inner"]
        if node.get("hasVar") or node.get("hasInit"):
            raise Refused(node, "a declaration in a condition")
        other = self.statement(inner[2]) if len(inner) > 2 else ("Skip",)
        return ("If", self.expr(inner[0]), self.statement(inner[1]), other)

    def do_ReturnStmt(self, node):
        if not node.get("inner"):
            return ("Ret", [])
        given = self.evaluated(node["inner"][0])
        if given[0] == "values":
            return seq([*given[2], ("Ret", given[1])])
        names = [self.fresh("result") for _ in self.results_of(strip(node["inner"][0]))]
        return seq([("Calls", names, *given[1]), ("Ret", [("Var", n) for n in names])])

    # --- for (T i = lo; i < hi; i++)

    def do_ForStmt(self, node):
        init, _, test, step, body = node["inner"]
        if init.get("kind") != "DeclStmt" or len(init["inner"]) != 1 or "init" not in init["inner"][0]:
            raise Refused(node, "a loop declares its one counter: for (uint32_t i = a; i < n; i++)")
        counter = init["inner"][0]
        lo = self.expr(counter["inner"][0])
        (name,) = self.declare(counter)
        hi = self.bound(test, counter, node)
        self.check_step(step, counter, node)
        inside = self.statement(body)
        self.check_loop(name, hi, inside, node)
        return ("For", name, lo, hi, inside)

    def is_counter(self, node, counter):
        node = strip(node)
        if node.get("castKind") == "LValueToRValue":
            node = strip(node["inner"][0])
        return node.get("referencedDecl", {}).get("id") == counter["id"]

    def bound(self, test, counter, node):
        test = strip(test) if test else {}
        if test.get("kind") != "BinaryOperator" or test["opcode"] not in ("<", "<="):
            raise Refused(node, "a loop's condition is 'i < n', or 'i <= constant'")
        left, right = test["inner"]
        t = self.types.of(counter)
        if not self.is_counter(left, counter) or self.types.of(left) != t or t not in ("U32", "U64", "I32"):
            raise Refused(node, "the counter is uint32_t, uint64_t or int, and compared as such")
        hi = self.expr(right)
        if test["opcode"] == "<":
            return hi
        plain = hi[3] if hi[0] == "Cast" else hi
        if plain[0] != "Const" or not 0 <= plain[1] < highest(t):
            raise Refused(node, "the bound of '<=' must be a constant below the type's highest value")
        return ("Const", plain[1] + 1, f"({plain[2]} + 1)" if plain[2] else None)

    def check_step(self, step, counter, node):
        good = step and step["kind"] == "UnaryOperator" and step["opcode"] == "++"
        if not good or not self.is_counter(step["inner"][0], counter):
            raise Refused(node, "a loop's step is 'i++'")

    @staticmethod
    def check_loop(name, hi, inside, node):
        changed = mods(inside)
        if name in changed or variables(hi) & set(changed):
            raise Refused(node, "the counter and the bound must not be assigned in the loop")
        if any(e[0] == "Call" for e in each_expression(hi)):
            raise Refused(node, "the bound of a loop must not call a function")

    # --- switch

    def do_SwitchStmt(self, node):
        value, body = self.expr(node["inner"][0]), node["inner"][1]
        first = ("Skip",)
        if value[0] != "Var":
            name = self.fresh("switch")
            first, value = ("Assign", name, value), ("Var", name)
        t = self.types.of(node["inner"][0])
        groups, default = self.groups(body)
        result = default
        for labels, statements in reversed(groups):
            tests = [("Binop", "Eq", t, value, label) for label in labels]
            test = tests[0]
            for other in tests[1:]:
                test = ("LOr", test, other)
            result = ("If", test, statements, result)
        return seq([first, result])

    def groups(self, body):
        """[(labels, statement)] and the default's statement; falling into a case is refused."""
        groups, labels, default_here, block, default = [], None, False, [], None
        items = body.get("inner", []) if body["kind"] == "CompoundStmt" else None
        if items is None:
            raise Refused(body, "the body of a switch is a block")

        def close(last):
            nonlocal default
            if labels is None:
                if block:
                    raise Refused(block[0], "a statement before the first case")
                return
            ended = block and block[-1]["kind"] == "BreakStmt"
            statements = seq([self.statement(n) for n in (block[:-1] if ended else block)])
            if not (ended or last or leaves(statements)):
                raise Refused(block[-1] if block else body, "a case must end in break or return")
            if default_here:
                default = statements
            if labels:
                groups.append((labels, statements))

        for item in items:
            if item["kind"] in ("CaseStmt", "DefaultStmt"):
                close(False)
                labels, default_here, block = [], False, []
                while item["kind"] in ("CaseStmt", "DefaultStmt"):
                    if item["kind"] == "DefaultStmt":
                        default_here, item = True, item["inner"][0]
                    else:
                        if len(item["inner"]) != 2:
                            raise Refused(item, "a case is one value")
                        labels.append(self.expr(item["inner"][0]))
                        item = item["inner"][1]
            block.append(item)
        close(True)
        return groups, default or ("Skip",)


def leaves(s):
    """Every path through it returns."""
    if s[0] == "Ret":
        return True
    if s[0] == "Seq":
        return leaves(s[1]) or leaves(s[2])
    return s[0] == "If" and leaves(s[2]) and leaves(s[3])
