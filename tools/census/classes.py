# SPDX-License-Identifier: Apache-2.0
"""Reads classes.txt and fields.txt; decides for each register which rule it has, and whether the engine obeys it."""
import fnmatch
import os
import re
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
CLASSES = ("switched", "trapped-absent", "trapped-emulated", "constant", "harmless", "host-only", "el2", "not-el1")

Rule = namedtuple("Rule", "pattern kind mechanisms reason line")


def read_rules(path):
    """The rules in order. ValueError names the line of the first that is malformed."""
    rules = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.startswith("#") or not line.strip():
                continue
            fields = [field.strip() for field in line.rstrip("\n").split("\t")]
            if len(fields) != 4 or fields[1] not in CLASSES or not fields[2]:
                raise ValueError(f"{path}:{number}: want PATTERN, class, mechanisms, reason, between tabs")
            mechanisms = [] if fields[2] == "-" else fields[2].split(",")
            if not mechanisms and not fields[3] and fields[1] not in ("harmless", "constant"):
                raise ValueError(f"{path}:{number}: neither a mechanism nor a reason")
            rules.append(Rule(fields[0], fields[1], tuple(mechanisms), fields[3], number))
    return rules


def rule_of(register, rules):
    """The first that matches, or None."""
    for rule in rules:
        subject = register.encoding if re.match(r"S\d_", rule.pattern) else register.name
        if fnmatch.fnmatchcase(subject, rule.pattern):
            return rule
    return None


def read_fields(linux_list, own=os.path.join(HERE, "fields.txt")):
    """({(register, field): (high, low)}, {register: encoding}) of Linux's list and our own."""
    fields, encodings, register = {}, {}, None
    with open(linux_list, encoding="utf-8") as f:
        for line in f:
            words = line.split()
            if not words:
                continue
            if words[0] == "Sysreg":
                register = words[1]
                encodings[register] = "S{}_{}_C{}_C{}_{}".format(*words[2:7])
            elif words[0] in ("EndSysreg", "SysregFields", "EndSysregFields"):
                register = None
            elif register and words[0] in ("Field", "Enum", "UnsignedEnum", "SignedEnum") and len(words) > 2:
                bits = [int(n) for n in words[1].split(":")]
                fields[register, words[2]] = (max(bits), min(bits))
    with open(own, encoding="utf-8") as f:
        for line in f:
            words = line.split("#")[0].split()
            if len(words) == 3:
                bits = [int(n) for n in words[2].split(":")]
                fields[words[0], words[1]] = (max(bits), min(bits))
            elif len(words) == 2:
                encodings[words[0]] = words[1]
    return fields, encodings


class Mechanisms:
    """Whether a mechanism of classes.txt holds in the engine."""

    def __init__(self, engine, fields, encodings):
        self.engine, self.fields, self.encodings = engine, fields, encodings

    def error(self, token):
        """What is wrong with it, or None."""
        if token.startswith("REG:"):
            return None if token[4:] in self.engine.switched else f"{token[4:]} is not switched"
        if token.startswith("ABSENT:"):
            register, field = token[7:].split(".")
            low = self.fields.get((register, field), (0, 0))[1]
            ok = self.engine.refuses(register, self.encodings.get(register, register), low)
            return None if ok else f"a CPU with {register}.{field} is not refused"
        if "=" not in token:
            return None if self.engine.says(token) else f"{token} does not hold"
        return self.field_error(token)

    def field_error(self, token):
        register, field, number, where = re.fullmatch(r"(\w+)\.(\w+)=(\d+)(@\w+)?", token).groups()
        both = [register.replace("GxTR", f"G{d}TR") for d in "RW"] if "GxTR" in register else [register]
        known = [r for r in both if (r, field) in self.fields]
        if not known:
            return f"nobody knows a field {field} of {register}"
        for name in known:
            high, low = self.fields[name, field]
            encoding = self.encodings.get(name, "").upper()
            values = self.engine.controls.get(name) or self.engine.controls.get(encoding)
            if values is None:
                return f"the engine never sets {name} ({encoding})"
            for context, value in zip(("@host", "@vm"), values):
                is_now = value >> low & (1 << (high - low + 1)) - 1
                if where in (None, context) and is_now != int(number):
                    return f"{name}.{field} is {is_now} for {context[1:]}, not {number}"
        return None
