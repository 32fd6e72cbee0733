#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the census see each field of a control register turned? For every field on which a class rests, the engine's value with that
field otherwise must be refused.

usage: fields.py LINUX_LIST     Prints the fields that it does not see; exit status 0 when there are none.
"""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools", "census"))
import classes  # noqa: E402
import engine  # noqa: E402


def turned(mechanisms, token):
    """The registers, of those that the token speaks of, in which the turned field is not seen."""
    register, field = token.split("=")[0].split(".")
    names = [register.replace("GxTR", f"G{d}TR") for d in "RW"] if "GxTR" in register else [register]
    controls = mechanisms.engine.controls
    for name in (n for n in names if (n, field) in mechanisms.fields):
        key = name if name in controls else mechanisms.encodings[name].upper()
        low, was = mechanisms.fields[name, field][1], controls[key]
        controls[key] = tuple(value ^ 1 << low for value in was)
        if mechanisms.field_error(token) is None:
            yield f"{name}.{field}"
        controls[key] = was


def main():
    rules = classes.read_rules(os.path.join(ROOT, "tools", "census", "classes.txt"))
    mechanisms = classes.Mechanisms(engine.Engine(os.path.join(ROOT, "engine")), *classes.read_fields(sys.argv[1]))
    tokens = sorted({m for rule in rules for m in rule.mechanisms if "=" in m})
    unseen = [name for token in tokens for name in turned(mechanisms, token)]
    for name in unseen:
        print(f"{name} turned is not seen")
    print(f"{len(tokens)} fields turned, {len(unseen)} not seen")
    return 1 if unseen else 0


if __name__ == "__main__":
    sys.exit(main())
