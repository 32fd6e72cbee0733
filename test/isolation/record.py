# SPDX-License-Identifier: Apache-2.0
"""The host's record (observe.h): read from the machine's memory, compared word by word."""
import struct

RAM, RECORD, RECORD_BYTES, CPUS, PAGE = 0x40000000, 0x46000000, 8 << 20, 4, 4096
STEP, CALL, SEEN, RUN, PAGES, MAP = range(1, 7)
NAMES = {STEP: "step", CALL: "call", SEEN: "after the call", RUN: "run record", PAGES: "memory", MAP: "map of memory"}
RUN_WORDS = 85
CODE_KEEPER, CODE_SECRET, EXIT_HOST_CALL, NIE_VCPU_RUN = 0x6B00, 0x6B01, 6, 0xC6000008
OUT_REASON, OUT_X0 = 1 + 64, 1 + 68  # after the VM's number


def number(op0, op1, crn, crm, op2):
    return (op0 - 2) << 14 | op1 << 11 | crn << 7 | crm << 3 | op2


# RNDR and RNDRRS are what the runs differ in; ICC_IAR0_EL1 and ICC_IAR1_EL1 acknowledge an interrupt when read.
NOT_READ = {number(3, 3, 2, 4, 0), number(3, 3, 2, 4, 1), number(3, 0, 12, 8, 0), number(3, 0, 12, 12, 0)}


def is_read(n):
    """Whether the register goes into the record. S2_*_C11_* and S2_*_C15_* (IMPLEMENTATION DEFINED, a thousand) trap and read 0."""
    return n not in NOT_READ and not (n >> 14 == 0 and n >> 7 & 15 in (11, 15))


def register_name(n):
    return f"S{(n >> 14) + 2}_{n >> 11 & 7}_C{n >> 7 & 15}_C{n >> 3 & 15}_{n & 7}"


def word_name(kind, i, registers):
    if kind == SEEN:
        if i < 32:
            return f"x{i}"
        if i < 98:
            return f"v{(i - 32) // 2}" if i < 96 else ("fpcr", "fpsr")[i - 96]
        return register_name(registers[i - 98])
    if kind == RUN:
        return f"word {i - 1}" if i else "VM"
    if kind == PAGES:
        return ("address", "fault", "content")[i]
    return f"word {i}"


def notes(memory, cpu):
    """(kind, words) of one CPU's record, in order."""
    at = RECORD - RAM + cpu * RECORD_BYTES
    while True:
        (header,) = struct.unpack_from("<Q", memory, at)
        kind, count = header >> 32, header & 0xFFFFFFFF
        if header == 0:
            return
        assert kind in NAMES and at + 8 + 8 * count <= RECORD - RAM + (cpu + 1) * RECORD_BYTES
        yield kind, struct.unpack_from(f"<{count}Q", memory, at + 8)
        at += 8 + 8 * count


class Result:
    def __init__(self):
        self.difference = self.told = None
        self.words = self.bytes = self.calls = self.exits = self.secret_pages = 0
        self.wrong = []


def compare_notes(result, first, second, cpu, registers):
    """Stops at the first difference. `told`: where the victim tells its secret."""
    others, where = notes(second, cpu), "?"
    telling = False
    for n, (kind, words) in enumerate(notes(first, cpu)):
        kind2, words2 = next(others, (None, ()))
        if kind == STEP:
            where = f"step {words[0]}"
        result.calls += kind == CALL
        place = f"CPU {cpu}, {where}, note {n}, {NAMES[kind]}"
        if kind == RUN and words[OUT_REASON] == EXIT_HOST_CALL:
            result.exits += 1
            if words[OUT_X0 + 1] == CODE_KEEPER and words[OUT_X0 + 2]:
                result.wrong.append((where, words[OUT_X0 + 2]))
            telling = words[OUT_X0 + 1] == CODE_SECRET
        if telling and result.told is None:
            result.told = place
        if (kind, len(words)) != (kind2, len(words2)):
            result.difference = f"{place}: not of the same kind"
            return
        for i, (a, b) in enumerate(zip(words, words2)):
            if a != b:
                result.difference = f"{place}, {word_name(kind, i, registers)}: {a:#x}, {b:#x}"
                return
        result.words += len(words)
    if next(others, None) is not None:
        result.difference = f"CPU {cpu}: one record goes on"


def compare_memory(result, first, second):
    """What the host can reach at the end, byte by byte; and how many other pages differ."""
    reach = [words for kind, words in notes(first, 0) if kind == MAP][-1:]
    if not reach:  # it did not come to its end
        return
    reach = reach[0]
    for p in range(len(first) // PAGE):
        a, b = first[p * PAGE : (p + 1) * PAGE], second[p * PAGE : (p + 1) * PAGE]
        if not reach[p // 64] >> p % 64 & 1:
            result.secret_pages += a != b
        elif a != b and result.difference is None:
            result.difference = f"at the end, memory at {RAM + p * PAGE:#x}"
        else:
            result.bytes += PAGE


def compare(first, second, registers):
    result = Result()
    for cpu in range(CPUS):
        if result.difference is None:
            compare_notes(result, first, second, cpu, registers)
    compare_memory(result, first, second)
    return result
