# SPDX-License-Identifier: Apache-2.0
"""A flattened device tree as nodes that can be edited; libfdt's own tools read and write it.

Only for build time and trees from a trusted source: the engine itself never parses one.
"""
import struct
import subprocess
import tempfile


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


def parse(blob):
    """The root node of the tree in `blob`; ValueError when it is none."""
    with tempfile.NamedTemporaryFile(suffix=".dtb") as f:
        f.write(blob)
        f.flush()
        try:
            return _read(f.name, "/")
        except subprocess.CalledProcessError as e:
            raise ValueError(f"not a device tree: {e.stderr.strip()}") from e


def _read(file, path):
    node = Node(path.rsplit("/", 1)[1])
    names = _fdtget("-p", file, path)
    if names:
        values = _fdtget("-t", "bx", file, *(word for name in names for word in (path, name)))
        node.props = {n: bytes(int(b, 16) for b in v.split()) for n, v in zip(names, values, strict=True)}
    node.children = [_read(file, path.rstrip("/") + "/" + child) for child in _fdtget("-l", file, path)]
    return node


def _fdtget(*arguments):
    return subprocess.run(["fdtget", *arguments], check=True, capture_output=True, text=True).stdout.splitlines()


def serialise(root):
    """The bytes of the tree, with no reserved memory."""
    source = "/dts-v1/;\n" + _source(root, "/")
    return subprocess.run(["dtc", "-q", "-O", "dtb"], input=source.encode(), check=True, stdout=subprocess.PIPE).stdout


def _source(node, name):
    props = "".join(f"{n} = [{v.hex()}];\n" if v else f"{n};\n" for n, v in node.props.items())
    return f"{name} {{\n{props}{''.join(_source(c, c.name) for c in node.children)}}};\n"
