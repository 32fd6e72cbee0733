# SPDX-License-Identifier: Apache-2.0
"""From clang's tree of one function to the syntax of model/C.v. Trusted: docs/SUBSET.md, rule by rule."""
from .clang import Refused, highest
from .ir import Function, each_expression, each_statement, every_expression, mods, seq, variables

BINARY = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "%": "Mod", "&": "And", "|": "Or", "^": "Xor",
          "<<": "Shl", ">>": "Shr", "==": "Eq", "!=": "Ne", "<": "Lt", "<=": "Le", ">": "Gt", ">=": "Ge"}
WRAPPERS = ("ParenExpr", "ConstantExpr")


def strip(node):
    while node["kind"] in WRAPPERS:
        node = node["inner"][0]
    return node


class Lower:
    def __init__(self, types, globals_, renamed):
        self.types, self.globals, self.renamed = types, globals_, renamed

    # --- functions

    def function(self, node):
        self.names, self.used, self.alias = {}, set(), {}
        if node.get("variadic"):
            raise Refused(node, "a variadic function is not in the subset")
        params = []
        for p in [n for n in node.get("inner", []) if n["kind"] == "ParmVarDecl"]:
            params += self.declare(p)
        body = [n for n in node["inner"] if n["kind"] == "CompoundStmt"][0]
        f = Function(self.renamed.get(node["name"], node["name"]), node["at"], params, self.results(node), node.get("storageClass") == "static")
        f.body = self.statement(body)
        for s in each_statement(f.body):
            if s[0] == "Calls" and s[2] not in f.callees:
                f.callees.append(s[2])
        for e in every_expression(f.body):
            if e[0] == "Call" and e[1] not in f.callees:
                f.callees.append(e[1])
        return f

    def results(self, node):
        text = node["type"]["qualType"].split("(")[0].strip()
        if text == "void":
            return []
        return ["_".join(p) for p, _, _ in self.scalars(text, node)]

    def scalars(self, text, node):
        """The scalars of a value: a local, a parameter or a result."""
        leaves = self.types.leaves(text, node)
        if any(dims for _, dims, _ in leaves):
            raise Refused(node, "a local, parameter or result must not hold an array")
        return leaves

    def fresh(self, base):
        name, i = base, 1
        while name in self.used:
            i += 1
            name = f"{base}_{i}"
        self.used.add(name)
        return name

    def declare(self, node):
        """A local or parameter becomes its scalars, under names that are unique in the function."""
        text = node["type"]["qualType"]
        if "volatile" in text or node.get("storageClass") or "*" in text:
            raise Refused(node, "a local is neither volatile, static nor a pointer")
        leaves = self.scalars(text, node)
        base, i = node["name"], 1
        while any("_".join((base, *p)) in self.used for p, _, _ in leaves):
            i += 1
            base = f"{node['name']}_{i}"
        names = [self.fresh("_".join((base, *p))) for p, _, _ in leaves]
        self.names[node["id"]] = (text, {p: n for (p, _, _), n in zip(leaves, names)})
        return names

    # --- places: ("local", names by path, path so far) or ("global", name, path so far, indices)

    def place(self, node):
        node = strip(node)
        kind = node["kind"]
        if kind == "DeclRefExpr":
            return self.named(node)
        if kind == "MemberExpr":
            base = node["inner"][0]
            where = self.aliased(base) if node["isArrow"] else self.place(base)
            return (*where[:2], where[2] + (node["name"],), *where[3:])
        if kind == "ArraySubscriptExpr":
            array, index = node["inner"]
            array = strip(array)
            if array.get("castKind") != "ArrayToPointerDecay":
                raise Refused(node, "only a named array can be indexed, not a pointer")
            where = self.place(array["inner"][0])
            if where[0] == "local":
                raise Refused(node, "a local must not be an array")
            return (*where[:3], where[3] + [self.expr(index)])
        raise Refused(node, f"{kind}: this does not name an object of the subset")

    def named(self, node):
        ref = node["referencedDecl"]
        if ref["id"] in self.names:
            return ("local", self.names[ref["id"]][1], ())
        if ref["name"] in self.globals.objects:
            return ("global", ref["name"], (), [])
        if ref["id"] in self.alias:
            raise Refused(node, "an alias is never assigned, and stands only before '->'")
        raise Refused(node, f"'{ref['name']}' is not an object of the subset")

    def aliased(self, node):
        node = strip(node)
        if node.get("castKind") == "LValueToRValue":
            inner = strip(node["inner"][0])
            found = self.alias.get(inner.get("referencedDecl", {}).get("id"))
            if found:
                return found
        raise Refused(node, "only an alias, 'struct x *p = &object[i]', can stand before '->'")

    def leaves_of(self, where, text, node):
        """The scalars of the object at a place: variables, or loads with their indices."""
        paths = [p for p, _, _ in self.types.leaves(text, node)]
        if where[0] == "local":
            names = where[1]
            # A newtype is its scalar: the path to it has no name of its own.
            found = [names.get(where[2] + p, names.get(where[2][:-1] + p)) for p in paths]
            return [("Var", n) for n in found]
        return [("Load", self.leaf(where, p, node), where[3]) for p in paths]

    def leaf(self, where, path, node):
        full = where[2] + path
        for name in ("_".join((where[1], *full)), "_".join((where[1], *full[:-1]))):
            if name in self.globals.leaves:
                if len(self.globals.leaves[name][0]) != len(where[3]):
                    raise Refused(node, "a struct or array is not used as a whole here")
                return name
        raise Refused(node, f"no scalar member {'.'.join((where[1], *full))}")

    # --- values

    def expr(self, node):
        """A scalar, or a struct that is one scalar."""
        values = self.value(node)
        if len(values) != 1:
            raise Refused(node, "a struct of several members can only be copied, passed or returned")
        return values[0]

    def value(self, node):
        """A list of expressions: the scalars of the value. Calls of several results are elsewhere."""
        node = strip(node)
        kind = node["kind"]
        method = getattr(self, "value_" + kind, None)
        if method is None:
            raise Refused(node, f"{kind} is not in the subset")
        return method(node)

    def value_IntegerLiteral(self, node):
        return [("Const", int(node["value"]), None)]

    def value_DeclRefExpr(self, node):
        ref = node["referencedDecl"]
        if ref["kind"] != "EnumConstantDecl":
            raise Refused(node, f"'{ref['name']}' is not a value")
        return [("Const", self.types.constants[ref["name"]][0], ref["name"])]

    def value_MemberExpr(self, node):            # of a struct that a call returns
        if node["valueCategory"] != "prvalue":
            raise Refused(node, "this member is not read here")
        return [self.expr(node["inner"][0])]

    def value_ImplicitCastExpr(self, node):
        kind, inner = node["castKind"], node["inner"][0]
        if kind == "LValueToRValue":
            if strip(inner)["kind"] == "CompoundLiteralExpr":
                return self.value(inner)
            return self.leaves_of(self.place(inner), node["type"]["qualType"], node)
        if kind == "NoOp":
            return self.value(inner)
        if kind in ("IntegralCast", "IntegralToBoolean"):
            source, target = self.types.of(inner), self.types.of(node)
            value = self.expr(inner)
            return [value if source == target else ("Cast", source, target, value)]
        raise Refused(node, f"a conversion of kind {kind} is not in the subset")

    value_CStyleCastExpr = value_ImplicitCastExpr

    def value_CompoundLiteralExpr(self, node):
        return self.value(node["inner"][0])

    def value_InitListExpr(self, node):
        values = [v for n in node.get("inner", []) for v in self.value(n)]
        if len(values) != len(self.scalars(node["type"]["qualType"], node)):
            raise Refused(node, "this initialiser does not name every member")
        return values

    def value_ImplicitValueInitExpr(self, node):           # C11 6.7.9p21: the rest is zero
        return [("Const", 0, None) for _ in self.scalars(node["type"]["qualType"], node)]

    def value_UnaryOperator(self, node):
        op, inner = node["opcode"], node["inner"][0]
        if op == "+":
            return self.value(inner)
        if op == "!":
            return [("LNot", self.expr(inner))]
        if op in ("-", "~"):
            return [("Unop", {"-": "Neg", "~": "Not"}[op], self.types.of(node), self.expr(inner))]
        raise Refused(node, f"'{op}' is not in the subset inside an expression")

    def value_BinaryOperator(self, node):
        op, (a, b) = node["opcode"], node["inner"]
        if op in ("&&", "||"):
            return [("LAnd" if op == "&&" else "LOr", self.expr(a), self.expr(b))]
        if op not in BINARY:
            raise Refused(node, f"'{op}' is not in the subset inside an expression")
        t = self.types.of(a)
        if op not in ("<<", ">>") and self.types.of(b) != t:
            raise Refused(node, "the operands have different types")
        return [("Binop", BINARY[op], t, self.expr(a), self.expr(b))]

    def value_ConditionalOperator(self, node):
        c, a, b = node["inner"]
        return [("Cond", self.expr(c), self.expr(a), self.expr(b))]

    def value_CallExpr(self, node):
        f, args = self.called(node)
        if len(self.results_of(node)) != 1:
            raise Refused(node, "a call with no or several results cannot stand in an expression")
        return [("Call", f, args)]

    def called(self, node):
        callee = strip(node["inner"][0])
        if callee.get("castKind") != "FunctionToPointerDecay":
            raise Refused(node, "a call must name its function")
        callee = strip(callee["inner"][0])
        if callee["kind"] != "DeclRefExpr" or callee["referencedDecl"]["kind"] != "FunctionDecl":
            raise Refused(node, "a call must name its function")
        name = callee["referencedDecl"]["name"]
        return self.renamed.get(name, name), [v for a in node["inner"][1:] for v in self.value(a)]

    def results_of(self, node):
        text = node["type"]["qualType"]
        return [] if text == "void" else self.scalars(text, node)

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
