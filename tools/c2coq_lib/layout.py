# SPDX-License-Identifier: Apache-2.0
"""The core's global objects: one gvar for each scalar member path."""
from .clang import Refused


class Globals:
    def __init__(self):
        self.objects = {}     # C name -> (type text, place)
        self.leaves = {}      # gvar -> (dims, integer type, place)
        self.tables = {}      # gvar -> [value], for constant tables

    def declare(self, types, node):
        name, text = node["name"], types.plain(node["type"]["qualType"])
        if name in self.objects:
            if self.objects[name][0] != text:
                raise Refused(node, f"global '{name}' was declared with another type")
        else:
            self.objects[name] = (text, node["at"])
            for path, dims, t in types.leaves(text, node):
                leaf = "_".join((name, *path))
                if leaf in self.leaves:
                    raise Refused(node, f"two members of globals would share the name '{leaf}'")
                self.leaves[leaf] = (dims, t, node["at"])
        if "init" in node:
            self.initialise(types, node)

    def initialise(self, types, node):
        """A constant table, or zeros; C11 6.7.9p10 makes zeros of all that has no initialiser."""
        name, text = node["name"], node["type"]["qualType"]
        values = flat_values(types, text, [n for n in node["inner"] if n["kind"] != "FullComment"][0])
        if "const" in text.split() and types.array(text) and name in self.leaves:
            self.tables[name] = values
        elif any(values):
            raise Refused(node, f"global '{name}' that can change must start as zero")


def flat_values(types, text, node):
    array = types.array(text)
    if node["kind"] != "InitListExpr":
        return [literal(types, node)]
    if not array or types.struct_tag(array[0]) or types.array(array[0]):
        values = [v for n in node.get("inner", []) for v in flat_values(types, n["type"]["qualType"], n)]
        if any(values):
            raise Refused(node, "only a one-dimensional table of integers can have values")
        return values
    items = node.get("inner") or node.get("array_filler", [])
    items = [n for n in items if n["kind"] != "ImplicitValueInitExpr"]
    values = [literal(types, n) for n in items]
    return values + [0] * (array[1] - len(values))


def literal(types, node):
    """The value of a constant initialiser: literals, enumerators, casts of these that keep the value."""
    if node["kind"] in ("ImplicitCastExpr", "ConstantExpr", "ParenExpr", "CStyleCastExpr"):
        return literal(types, node["inner"][0])
    if node["kind"] == "IntegerLiteral":
        return int(node["value"])
    if node["kind"] == "ImplicitValueInitExpr":
        return 0
    if node["kind"] == "DeclRefExpr" and node["referencedDecl"]["name"] in types.constants:
        return types.constants[node["referencedDecl"]["name"]][0]
    raise Refused(node, "an initialiser must be a literal or an enumerator")
