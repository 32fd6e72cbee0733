# SPDX-License-Identifier: Apache-2.0
"""Names: functions, locals, aliases, and the scalars that a place in the C stands for. Trusted."""
from .clang import Refused
from .ir import Function, each_statement, every_expression

WRAPPERS = ("ParenExpr", "ConstantExpr")


def strip(node):
    while node["kind"] in WRAPPERS:
        node = node["inner"][0]
    return node


class Places:
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
