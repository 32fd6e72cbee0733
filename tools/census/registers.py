# SPDX-License-Identifier: Apache-2.0
"""What EL0 and EL1 could name: the assembler's table, Linux's list and tools/census/extra.txt, joined."""
import os
import re
import subprocess
import sys
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
LLVM_MC = ["llvm-mc-19", "-disassemble", "-triple=aarch64", "-mattr=+all"]

# encoding: "S3_0_C1_C0_0", or "-" for what has none in AArch64; access: subset of "rwx" (x: an instruction)
Register = namedtuple("Register", "encoding name access sources")


def encoding(op0, op1, crn, crm, op2):
    return f"S{op0}_{op1}_C{crn}_C{crm}_{op2}"


def sort_key(encoding_text):
    return [int(n) for n in re.findall(r"\d+", encoding_text)]


def word(read, op0, op1, crn, crm, op2, rt):
    """The instruction as the disassembler takes it: bytes, least significant first."""
    value = 0xD5000000 | read << 21 | op0 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5 | rt
    return " ".join(f"0x{byte:02x}" for byte in value.to_bytes(4, "little"))


def disassemble(read, op0, rt, crns=range(16)):
    """Every encoding of this shape and how it reads; None where the assembler knows no name."""
    shapes = [(op0, op1, crn, crm, op2) for op1 in range(8) for crn in crns for crm in range(16) for op2 in range(8)]
    text = "".join(word(read, *shape, rt) + "\n" for shape in shapes)
    done = subprocess.run(LLVM_MC, input=text, capture_output=True, text=True, check=True)
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip() and not line.strip().startswith(".")]
    if len(lines) != len(shapes):
        raise ValueError(f"{LLVM_MC[0]} printed {len(lines)} instructions for {len(shapes)}")
    return list(zip(shapes, lines))


def from_registers():
    """(encoding, name, r or w) of MRS and MSR."""
    for op0 in (2, 3):
        for read, access in ((1, "r"), (0, "w")):
            for shape, line in disassemble(read, op0, 0):
                fields = re.split(r"[\s,]+", line)
                name = fields[2] if read else fields[1]
                if not re.match(r"S\d_\d_C", name, re.I):
                    yield encoding(*shape), name.upper(), access


def instruction_name(line):
    """'tlbi vae1is, x0' is TLBI_VAE1IS: without the general register or the immediate."""
    return "_".join(re.sub(r",?\s*(xzr|x\d+|#\d+)", "", line).replace(",", " ").split()).upper()


def from_instructions():
    """(encoding, name, x) of SYS, SYSL, hints, barriers and MSR of an immediate."""
    for read in (0, 1):
        for rt in (31, 0):
            for shape, line in disassemble(read, 1, rt):
                if not line.startswith("sys"):
                    yield encoding(*shape), instruction_name(line), "x"
    seen = set()
    for shape, line in disassemble(0, 0, 31, (1, 2, 3, 4)):
        # CRm is an operand of most: one entry a name, barriers and BTI without their kind.
        name = re.sub(r"^(DSB|DMB|BTI)_.*", r"\1", instruction_name(line))
        if name not in seen and not re.match(r"(HINT|MSR_S0|<unknown>)", name, re.I):
            seen.add(name)
            yield encoding(*shape), name, "x"


def from_linux(path):
    """(encoding, name, rw): Linux's list does not tell the direction."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            fields = line.split()
            if fields and fields[0] == "Sysreg":
                yield encoding(*map(int, fields[2:7])), fields[1].upper(), "rw"


def from_extra(path):
    """What neither list has: one a line, name, access, encoding or -."""
    with open(path, encoding="utf-8") as f:
        for line in f:
            fields = line.split("#")[0].split()
            if fields:
                yield fields[2], fields[0], fields[1]


def collect(linux_list):
    """All of them, one an encoding and name, in order of encoding."""
    sources = [("assembler", from_registers()), ("assembler", from_instructions()),
               ("Linux", from_linux(linux_list)), ("manual", from_extra(os.path.join(HERE, "extra.txt")))]
    found = {}
    for source, entries in sources:
        for where, name, access in entries:
            _, accesses, seen = found.setdefault((where, name), (name, set(), set()))
            # What the assembler says of the direction stands; Linux's list would only blur it.
            if not (source == "Linux" and accesses):
                accesses.update(access)
            seen.add(source)
    order = sorted(found, key=lambda k: (sort_key(k[0]), k[1]))
    return [Register(where, name, "".join(sorted(found[where, name][1])), tuple(sorted(found[where, name][2])))
            for where, name in order]


def read(path):
    """What main() printed."""
    with open(path, encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f]
    return [Register(where, name, access, tuple(sources.split(","))) for where, name, access, sources in rows]


def main():
    """One a line: encoding, name, access, sources."""
    if len(sys.argv) != 2:
        sys.exit("usage: registers.py LINUX-LIST")
    for r in collect(sys.argv[1]):
        print(r.encoding, r.name, r.access, ",".join(r.sources), sep="\t")


if __name__ == "__main__":
    main()
