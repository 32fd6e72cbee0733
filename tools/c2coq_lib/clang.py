# SPDX-License-Identifier: Apache-2.0
"""Runs clang and reads its syntax tree: places, types, structs, enumerators."""
import json
import os
import re
import subprocess

CLANG = "clang-19"


class Refused(Exception):
    """The C is outside the subset: a place and one reason."""

    def __init__(self, node, reason):
        place = node.get("at") if isinstance(node, dict) else node
        file, line = place if place else ("?", 0)
        super().__init__(f"{file}:{line}: {reason}")


def tree(file, flags):
    """The typed tree of a C file; clang's own errors and warnings end the translation."""
    command = [CLANG, *flags, "-Werror", "-Xclang", "-ast-dump=json", "-fsyntax-only", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused((file, 0), "clang refuses it:\n" + done.stderr.strip())
    root = json.loads(done.stdout)
    mark_places(root)
    return root


def mark_places(root):
    """Gives each node 'at' = (file, line). The tree names file and line only where they change."""
    now = {"file": "?", "line": 0}

    def read(loc):
        for part in ("spellingLoc", "expansionLoc"):
            if part in loc:
                read(loc[part])
        for key in now:
            now[key] = loc.get(key, now[key])
        now["file"] = os.path.normpath(now["file"])

    def walk(node):
        place = None
        if "loc" in node:
            read(node["loc"])
            if node["loc"]:
                place = (now["file"], now["line"])
        span = node.get("range", {})
        read(span.get("begin", {}))
        node["at"] = place or (now["file"], now["line"])
        read(span.get("end", {}))
        for child in node.get("inner", []):
            walk(child)

    walk(root)


INTEGERS = {
    "_Bool": "Bool", "bool": "Bool",
    "unsigned char": "U8", "unsigned short": "U16", "unsigned int": "U32",
    "unsigned long": "U64", "unsigned long long": "U64",
    "signed char": "I8", "short": "I16", "int": "I32", "long": "I64", "long long": "I64",
}
WIDTH = {"Bool": 1, "U8": 8, "U16": 16, "U32": 32, "U64": 64, "I8": 8, "I16": 16, "I32": 32, "I64": 64}


def signed(t):
    return t.startswith("I")


def lowest(t):
    return -(1 << (WIDTH[t] - 1)) if signed(t) else 0


def highest(t):
    return (1 << (WIDTH[t] - 1)) - 1 if signed(t) else (1 << WIDTH[t]) - 1


class Types:
    """What the declarations of one translation unit say about its types and constants."""

    def __init__(self, root):
        self.typedefs = {}
        self.structs = {}     # tag -> [(member, type text)]
        self.enums = {}       # tag -> integer type
        self.constants = {}   # enumerator -> (value, place)
        for node in root["inner"]:
            kind = node["kind"]
            if kind == "TypedefDecl":
                self.typedefs[node["name"]] = node["type"]["qualType"]
            elif kind == "RecordDecl" and node.get("completeDefinition"):
                self.struct(node)
            elif kind == "EnumDecl":
                self.enum(node)

    def struct(self, node):
        if "name" not in node:
            return
        if node["tagUsed"] != "struct":
            self.structs[node["name"]] = None
            return
        inner = [n for n in node.get("inner", []) if n["kind"] == "FieldDecl"]
        odd = any(n.get("isBitfield") for n in inner) or any(
            n["kind"] not in ("FieldDecl", "FullComment") for n in node.get("inner", []))
        self.structs[node["name"]] = None if odd else [(n["name"], n["type"]["qualType"]) for n in inner]

    def enum(self, node):
        value, values = -1, []
        for item in node.get("inner", []):
            if item["kind"] != "EnumConstantDecl":
                continue
            given = [n for n in item.get("inner", []) if n["kind"] != "FullComment"]
            value = constant_value(given[0]) if given else value + 1
            values.append(value)
            self.constants[item["name"]] = (value, item["at"])
        fits = [t for t in ("U32", "I32", "U64", "I64")
                if lowest(t) <= min(values, default=0) and max(values, default=0) <= highest(t)]
        if "name" in node:
            self.enums[node["name"]] = fits[0]

    def plain(self, text):
        """A type without const, volatile refused, typedefs resolved."""
        text = re.sub(r"\bconst\b", "", text)
        text = re.sub(r"\s+", " ", text).strip()
        while text in self.typedefs and text not in INTEGERS:
            text = re.sub(r"\bconst\b", "", self.typedefs[text]).strip()
        return text

    def array(self, text):
        """(element type, length) of an array type, or None."""
        found = re.fullmatch(r"(.*?)\s?\[(\d+)\]((?:\[\d+\])*)", self.plain(text))
        return (found[1] + found[3], int(found[2])) if found else None

    def struct_tag(self, text):
        text = self.plain(text)
        return text[len("struct "):] if re.fullmatch(r"struct \w+", text) else None

    def integer(self, text, node):
        text = self.plain(text)
        if text in INTEGERS:
            return INTEGERS[text]
        if text.startswith("enum ") and text[5:] in self.enums:
            return self.enums[text[5:]]
        raise Refused(node, f"the type '{text}' is not in the subset")

    def of(self, node):
        """The integer type of an expression."""
        return self.integer(node["type"]["qualType"], node)

    def leaves(self, text, node, depth=0):
        """The scalars of an object of this type: [(member path, array lengths, integer type)]."""
        array = self.array(text)
        if array:
            return [(p, [array[1], *d], t) for p, d, t in self.leaves(array[0], node, depth)]
        tag = self.struct_tag(text)
        if tag is None:
            return [((), [], self.integer(text, node))]
        members = self.structs.get(tag)
        if members is None or depth > 2:
            raise Refused(node, f"struct {tag} is a union, has bit-fields, is incomplete or too deep")
        found = [((name, *p), d, t) for name, inner in members
                 for p, d, t in self.leaves(inner, node, depth + 1)]
        if len(found) == 1 and not found[0][1]:      # a newtype: its one scalar
            return [((), [], found[0][2])]
        return found


def constant_value(node):
    """The value of an enumerator: clang has computed it."""
    while "value" not in node or node["kind"] not in ("ConstantExpr", "IntegerLiteral"):
        inner = node.get("inner")
        if not inner:
            raise Refused(node, "this constant has no value in the tree")
        node = inner[0]
    return int(node["value"])
