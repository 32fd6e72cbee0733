# SPDX-License-Identifier: Apache-2.0
"""The record of long runs, a Markdown file that ./nie fuzz --record writes and adds to: it holds all that the sums are made of.

A boot is in it as soon as it has ended, so a run that is cut short keeps what it did. A boot that is in it already (seed, mode,
CPU and engine) is refused: it would be the same calls again.
"""
import fcntl
import os
import re
import subprocess
import time

GOAL = 10_000_000
FIELDS = ("started", "commit", "engine", "cpu", "mode", "seeds", "size", "boots", "calls", "replayed", "seconds", "failed")
HEAD = ("started (UTC)", "commit", "engine", "QEMU's CPU", "mode", "seeds", "batches x operations of a CPU", "boots", "calls",
        "calls with the specification's results", "seconds", "failed")
TEXT = """# The fuzzer's long run

Written by `./nie fuzz --record FILE`, which adds to it; not by hand. A line is a run: its boots have the seeds FIRST to LAST, four hostile
CPUs each. *engine* is git's name for the folder `engine/`. *With the specification's results*: the calls were replayed, in the order in
which they took the engine's lock, on the specification that is extracted from Coq, and each result was the same. In both modes the host
checks ownership, counts and contents after each batch, and the VMs check their memory and registers (`test/fuzz/README.md`).
Again: `./nie fuzz --mode MODE --seed FIRST --batches B --ops O --cpu CPU --check build/test/oracle/check` at that commit.
"""


def git(root, *what):
    """What git says, or `unknown`."""
    done = subprocess.run(["git", "-C", root, *what], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.strip() or "unknown"


def rows_of(text):
    """The runs of a record."""
    rows = []
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) == len(FIELDS) and re.match(r"\d{4}-", cells[0]):
            rows.append(dict(zip(FIELDS, cells)))
    return rows


def calls_of(text):
    """{(call, status): times} of a record's table of calls."""
    calls = {}
    for name, statuses in re.findall(r"^(\S+) +\d+ +((?:\d+:\d+ ?)+)$", text, re.M):
        calls.update({(name, int(s)): int(n) for s, n in (pair.split(":") for pair in statuses.split())})
    return calls


def seeds_of(row):
    """First and last seed."""
    first, _, last = row["seeds"].partition("-")
    return int(first), int(last or first)


def total(rows, what, mode=None):
    """The sum of one column."""
    return sum(int(r[what]) for r in rows if mode in (None, r["mode"]))


def summary(rows):
    """The sums in words, the verdict last."""
    calls, bad = total(rows, "calls"), [f"{r['mode']} {r['failed']}" for r in rows if r["failed"] != "-" and ": silent" not in r["failed"]]
    silent = [(r["mode"], seeds_of(r)[1]) for r in rows if ": silent" in r["failed"]]
    again = {(r["mode"], s) for r in rows if r["failed"] == "-" for s in range(seeds_of(r)[0], seeds_of(r)[1] + 1)}
    lines = [f"{calls} calls in {total(rows, 'boots')} boots, {total(rows, 'replayed')} of them with the specification's results."]
    for mode in sorted({r["mode"] for r in rows}):
        n, same = total(rows, "calls", mode), total(rows, "replayed", mode)
        lines.append(f"Mode {mode}: {n} calls, {100 * n / max(1, calls):.0f} % of all; {same} with the specification's results.")
    reached = "reached" if calls >= GOAL else f"NOT reached: {100 * calls / GOAL:.1f} %"
    for mode, seed in silent:
        after = "run again below, it passed" if (mode, seed) in again else "**not run again**"
        lines.append(f"Given up, since it said nothing for long (the run is nice, the machine was loaded): mode {mode}, seed {seed}; {after}.")
    lines.append(f"Failures and divergences: {len(bad)}{' (' + '; '.join(bad) + ')' if bad else ''}. The goal of {GOAL} calls is {reached}.")
    return lines


def document(rows, calls):
    """The whole file."""
    lines = [TEXT, "\n".join("- " + line for line in summary(rows)), "", "| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    lines += ["| " + " | ".join(r[f] for f in FIELDS) + " |" for r in rows]
    lines += ["", "Calls of all runs by their status (`abi/nie.h`; 0 is success):", "", "```", f"{'call':16} {'times':>9}  status:times"]
    for name in sorted({c for c, _ in calls}):
        of = sorted((s, n) for (c, s), n in calls.items() if c == name)
        lines.append(f"{name:16} {sum(n for _, n in of):9}  " + " ".join(f"{s}:{n}" for s, n in of))
    return "\n".join(lines + ["```", ""])


class Record:
    """One run's lines of the file at `path`, one a mode."""

    def __init__(self, path, root):
        self.path, self.started = path, time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self.commit = git(root, "describe", "--always", "--dirty")
        self.engine = git(root, "rev-parse", "--short", "HEAD:engine") + ("-dirty" if self.commit.endswith("-dirty") else "")

    def read(self):
        """The file's text; empty when there is none."""
        if not os.path.exists(self.path):
            return ""
        with open(self.path, encoding="utf-8") as f:
            return f.read()

    def known(self, case):
        """Is this boot in the file?"""
        return any(first <= case.seed <= last and f"seed {case.seed}: silent" not in r["failed"] for r in rows_of(self.read()) for first, last in [seeds_of(r)]
                   if (r["mode"], r["cpu"], r["engine"]) == (case.mode, case.cpu, self.engine))

    def next_seed(self):
        """One that no boot of the file had."""
        return max([seeds_of(r)[1] for r in rows_of(self.read())], default=0) + 1

    def row(self, rows, case):
        """The line of this run and mode, new if need be."""
        for r in rows:
            if (r["started"], r["mode"]) == (self.started, case.mode) and seeds_of(r)[1] == case.seed - 1:
                return r
        rows.append(dict(zip(FIELDS, (self.started, self.commit, self.engine, case.cpu, case.mode, str(case.seed),
                                      f"{case.batches} x {case.ops}", "0", "0", "0", "0", "-"))))
        return rows[-1]

    def add(self, case, result, seconds, replayed):
        """One boot. Its calls count as replayed only when the specification agreed to the end."""
        folder = os.open(os.path.dirname(os.path.abspath(self.path)), os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)  # another run may write the same file
        try:
            text = self.read()
            rows, calls = rows_of(text), calls_of(text)
            r = self.row(rows, case)
            r["seeds"] = f"{seeds_of(r)[0]}-{case.seed}"
            for field, n in (("boots", 1), ("calls", result.total()), ("seconds", round(seconds)),
                             ("replayed", result.total() if replayed and not result.why else 0)):
                r[field] = str(int(r[field]) + n)
            if result.why:
                # Given up as silent is no divergence: a machine that starved looks the same. The seed may be run again.
                r["failed"] = f"seed {case.seed}: {result.why}".replace("|", "/")
            for key, n in result.calls.items():
                calls[key] = calls.get(key, 0) + n
            with open(self.path + ".new", "w", encoding="utf-8") as f:
                f.write(document(rows, calls))
            os.replace(self.path + ".new", self.path)
        finally:
            os.close(folder)
