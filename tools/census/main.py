# SPDX-License-Identifier: Apache-2.0
"""The register census: see tools/cmd/census. Prints what is wrong, a table and a verdict."""
import argparse
import os
import sys
from collections import Counter

import classes
import coq
import engine
import registers
import report

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# What trap code may do with a register of a class: U undefined, C fixed value, E exit, P passed on.
MAY_DO = {"trapped-absent": set("U"), "trapped-emulated": set("CE"), "switched": set("UP"), "host-only": set("UC")}


def read_traps(path):
    """{encoding: {host-read, host-write, vm-read, vm-write: letter}}, as test/census/traps.c prints it."""
    columns = ("host-read", "host-write", "vm-read", "vm-write")
    with open(path, encoding="utf-8") as f:
        rows = [line.split() for line in f]
    return {row[0]: dict(zip(columns, row[1:])) for row in rows}


def wanted(register, rule, column):
    """What the engine may do when this access traps; None when it never reaches the trap code as a register."""
    who, how = column.split("-")
    if how[0] not in register.access and register.access != "x":
        return None
    # Where a mechanism speaks of VMs alone, the host's access does not trap.
    if who == "host" and rule.mechanisms and all(m.endswith("@vm") for m in rule.mechanisms):
        return None
    if rule.kind == "host-only" and who == "host":
        return None
    return MAY_DO.get(rule.kind)


def trap_errors(register, rule, traps):
    """Does the trap code do what the class says?"""
    found = []
    for column, did in traps.get(register.encoding, {}).items():
        allowed = wanted(register, rule, column)
        if allowed is not None and did not in allowed:
            found.append(f"{register.name} ({register.encoding}) is {rule.kind}; its {column} trap does {did}")
    return found


# Exception classes that are not an undefined instruction for every context: WFx, HVC, SMC, MSR and MRS, aborts.
HANDLED = {0x01, 0x16, 0x17, 0x18, 0x20, 0x24}


def class_errors(traps):
    """Is every other exception class an undefined instruction, as traps with a class of their own rely on?"""
    return [f"exception class {n:#x} is not undefined" for n in range(64) if n not in HANDLED and
            set(traps.get(f"EC{n}", {"": "?"}).values()) != {"U"}]


def check(found, rules, mechanisms, traps):
    """(errors, {register: rule})."""
    errors, rule_for = class_errors(traps), {}
    for register in found:
        rule = classes.rule_of(register, rules)
        if rule is None:
            errors.append(f"{register.name} ({register.encoding}) is not classified")
            continue
        rule_for[register] = rule
        errors += trap_errors(register, rule, traps)
    used = set(rule_for.values())
    errors += [f"classes.txt:{r.line}: {r.pattern} matches nothing" for r in rules if r not in used]
    for rule in rules:
        for token in rule.mechanisms:
            wrong = mechanisms.error(token)
            if wrong:
                errors.append(f"classes.txt:{rule.line}: {rule.pattern}: {wrong}")
    return errors, rule_for


def main():
    parser = argparse.ArgumentParser(prog="census")
    parser.add_argument("--linux", required=True, help="Linux's list of system registers, for fields of registers")
    parser.add_argument("--registers", required=True, help="what registers.py printed")
    parser.add_argument("--traps", required=True, help="what the trap code does, from test/census/traps.c")
    parser.add_argument("--engine", default=os.path.join(ROOT, "engine"))
    parser.add_argument("--rules", default=os.path.join(HERE, "classes.txt"))
    parser.add_argument("--document", help="compare with this file, or write it with --write")
    parser.add_argument("--coq", help="likewise: the census for the proofs")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    try:
        rules = classes.read_rules(options.rules)
        fields, encodings = classes.read_fields(options.linux)
        sources = engine.Engine(options.engine)
        mechanisms = classes.Mechanisms(sources, fields, encodings)
    except ValueError as e:
        print(f"census: {e}")
        return 1
    found = registers.read(options.registers)
    traps = read_traps(options.traps)
    errors, rule_for = check(found, rules, mechanisms, traps)
    if options.document and not errors:
        errors += report.document(options.document, rule_for, options.write)
    if options.coq and not errors:
        errors += coq.document(options.coq, rule_for, sources.names, options.write)
    for error in errors:
        print(f"census: {error}")
    report.table(found, Counter(r.kind for r in rule_for.values()), len(traps))
    print(f"census: {'PASS' if not errors else 'FAIL'}: {len(found)} registers and instructions, {len(errors)} errors")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
