# SPDX-License-Identifier: Apache-2.0
"""Expressions, from clang's tree to the syntax of model/C.v. Trusted: docs/SUBSET.md, rule by rule."""
from .clang import Refused
from .places import Places, strip

BINARY = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "%": "Mod", "&": "And", "|": "Or", "^": "Xor",
          "<<": "Shl", ">>": "Shr", "==": "Eq", "!=": "Ne", "<": "Lt", "<=": "Le", ">": "Gt", ">=": "Ge"}


class Values(Places):
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
