# SPDX-License-Identifier: Apache-2.0
"""A failing case made small: batches, then operations, are left out as long as it fails in the same way."""
import copy
import re
import time

import boot

TRIALS = 120


def kind(why):
    """The failure without its numbers, which differ between the same failure's boots."""
    return re.sub(r"0x[0-9a-f]+|\d+", "N", why or "")


def leave_out(items, fails, deadline):
    """The items that are still needed, by halving; fails(kept) says whether it fails with these alone."""
    kept, size, trials = list(items), max(1, len(items) // 2), 0
    while kept:
        start, removed = 0, False
        while start < len(kept):
            rest = kept[:start] + kept[start + size :]
            trials += 1
            if trials > TRIALS or time.time() > deadline:
                return kept
            if fails(rest):
                kept, removed = rest, True
            else:
                start += size
        if size == 1 and not removed:
            return kept
        size = max(1, size // 2)
    return kept


def shrink(image, case, result, order, seconds=600, say=print):
    """A smaller case, and how it fails; only where a boot can be repeated (mode icount)."""
    want, deadline = kind(result.why), time.time() + seconds
    case = copy.deepcopy(case)
    case.batches = min(case.batches, result.batch + 1)
    why = [result.why]

    def tried(candidate):
        r = boot.boot(image, candidate, seconds=60, order=order)
        same = kind(r.why) == want
        if same:
            why[0] = r.why
        return same

    if not tried(case):
        say("it does not fail again: not shrunk")
        return case, result.why

    def fails_with_batches(kept):
        c = copy.deepcopy(case)
        c.skip_batches |= set(batches) - set(kept)
        return tried(c)

    def fails_with_ops(kept):
        c = copy.deepcopy(case)
        c.skip_ops |= set(ops) - set(kept)
        return tried(c)

    batches = [b for b in range(min(case.batches, boot.BATCHES_MAX)) if b not in case.skip_batches]
    case.skip_batches |= set(batches) - set(leave_out(batches, fails_with_batches, deadline))
    say(f"{len(batches)} batches to {case.batches - len(case.skip_batches)}")
    ops = [(c, o) for c in range(boot.CPUS) for o in range(case.ops) if (c, o) not in case.skip_ops]
    case.skip_ops |= set(ops) - set(leave_out(ops, fails_with_ops, deadline))
    say(f"{len(ops)} operations a batch to {len(ops) - len(set(ops) & case.skip_ops)}")
    return case, why[0]
