# SPDX-License-Identifier: Apache-2.0
"""What the checks of ./nie lint know of source files: which there are, and their functions."""
import ast
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files():
    """All files of the project, tracked or new, relative to its root."""
    out = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()
    return sorted(f for f in set(out) if os.path.isfile(os.path.join(ROOT, f)))


# A file that a build beside us makes and removes has nothing to check.
def read(path):
    """The text of a file; empty when it is gone meanwhile."""
    if not os.path.isfile(os.path.join(ROOT, path)):
        return ""
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def kind(path):
    """"c", "asm", "coq", "py", "sh" or None; scripts without an ending by their first line."""
    ending = os.path.splitext(path)[1]
    known = {".c": "c", ".h": "c", ".S": "asm", ".v": "coq", ".py": "py", ".sh": "sh"}
    if ending in known:
        return known[ending]
    if ending and ending != ".":
        return None
    first = read(path).split("\n", 1)[0]
    if first.startswith("#!"):
        return "py" if "python" in first else "sh"
    return None


def functions(path):
    """(name, first line, number of lines) of each function."""
    find = {"c": _brace, "sh": _brace, "py": _python}.get(kind(path))
    return find(read(path)) if find else []


# C in the kernel's style and bash alike: a body opens at the end of its head and closes in column 0.
def _brace(text):
    found, head = [], None
    for number, line in enumerate(text.splitlines(), 1):
        called = re.match(r"(?=[A-Za-z_])[^=;#(]*?\b(\w+) ?\(", line)
        if head is None and called and not line.rstrip().endswith((";", "}")):
            head = (called.group(1), number)
        if head and line.rstrip() == "}":
            found.append((*head, number - head[1] + 1))
            head = None
        elif head and (line.startswith("};") or re.match(r".*\)\s*;\s*$", line) and line[0] not in "\t {"):
            head = None
    return found


def _python(text):
    nodes = (n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef))
    return [(n.name, n.lineno, n.end_lineno - n.lineno + 1) for n in nodes]
