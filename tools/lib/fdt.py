# SPDX-License-Identifier: Apache-2.0
"""Read, edit and write a flattened device tree (Devicetree Specification 0.4, chapter 5).

Only for build time and trees from a trusted source: the engine itself never parses one.
"""
import struct

MAGIC, BEGIN, END, PROP, NOP, STOP = 0xD00DFEED, 1, 2, 3, 4, 9
HEADER = ">10I"


class Node:
    """One node: its name, its properties in order (name -> bytes), its children in order."""

    def __init__(self, name):
        self.name, self.props, self.children = name, {}, []

    def child(self, name):
        """The child of that name, made if there is none."""
        for c in self.children:
            if c.name == name:
                return c
        self.children.append(Node(name))
        return self.children[-1]

    def cells(self, prop):
        """A property as a list of 32-bit numbers."""
        data = self.props[prop]
        return list(struct.unpack(f">{len(data) // 4}I", data))

    def compatible(self):
        return self.props.get("compatible", b"").decode().split("\0")[:-1]


def cells(*numbers):
    """32-bit numbers as a property's bytes."""
    return struct.pack(f">{len(numbers)}I", *numbers)


def wide(*numbers):
    """64-bit numbers as a property's bytes."""
    return struct.pack(f">{len(numbers)}Q", *numbers)


def text(*strings):
    """Strings as a property's bytes."""
    return b"".join(s.encode() + b"\0" for s in strings)


def _name(data, at):
    end = data.index(b"\0", at)
    return data[at:end].decode(), end + 1


def parse(blob):
    """The root node of the tree in `blob`; ValueError when it is none."""
    head = struct.unpack_from(HEADER, blob)
    if head[0] != MAGIC:
        raise ValueError("not a device tree")
    at, strings, stack = head[2], head[3], [Node("")]
    while True:
        (token,) = struct.unpack_from(">I", blob, at)
        at += 4
        if token == BEGIN:
            name, at = _name(blob, at)
            at = (at + 3) & ~3
            stack.append(Node(name))
        elif token == END:
            node = stack.pop()
            stack[-1].children.append(node)
        elif token == PROP:
            size, offset = struct.unpack_from(">II", blob, at)
            stack[-1].props[_name(blob, strings + offset)[0]] = blob[at + 8 : at + 8 + size]
            at = (at + 8 + size + 3) & ~3
        elif token == STOP:
            return stack[0].children[0]
        elif token != NOP:
            raise ValueError(f"token {token} at {at - 4}")


# `strings` starts with a zero byte that is not written, so that a name is found only whole.
def _body(node, strings):
    out = struct.pack(">I", BEGIN) + text(node.name)
    out += b"\0" * (-len(out) % 4)
    for name, value in node.props.items():
        offset = strings.find(b"\0" + text(name))
        if offset < 0:
            offset = len(strings) - 1
            strings += text(name)
        out += struct.pack(">III", PROP, len(value), offset) + value
        out += b"\0" * (-len(value) % 4)
    for child in node.children:
        out += _body(child, strings)
    return out + struct.pack(">I", END)


def serialise(root):
    """The bytes of the tree, version 17, with no reserved memory."""
    strings = bytearray(b"\0")
    body = _body(root, strings) + struct.pack(">I", STOP)
    names = bytes(strings[1:])
    at_body = 40 + 16
    at_strings = at_body + len(body)
    total = (at_strings + len(names) + 7) & ~7
    head = struct.pack(
        HEADER, MAGIC, total, at_body, at_strings, 40, 17, 16, 0, len(names), len(body)
    )
    return (head + b"\0" * 16 + body + names).ljust(total, b"\0")
