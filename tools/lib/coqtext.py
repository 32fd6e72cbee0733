# SPDX-License-Identifier: Apache-2.0
"""What Coq prints of a theorem or a definition, with every name in full, so that the text means one thing everywhere."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
NAME = re.compile(r"[A-Za-z_][\w']*(?:\.[A-Za-z_][\w']*)+")


def flags():
    """Those of proof/Makefile, without warnings."""
    with open(os.path.join(ROOT, "proof/Makefile"), encoding="utf-8") as f:
        return re.search(r"^FLAGS = (.*)$", f.read(), re.M).group(1).split() + ["-w", "none"]


class Coq:
    """Questions to Coq after the same commands, [start]; scratch files in build/[folder]."""

    def __init__(self, folder, start):
        self.work = os.path.join(ROOT, "build", folder)
        self.start = start
        self.full = {}  # by the name as printed: its kind, and its full name
        os.makedirs(self.work, exist_ok=True)

    def ask(self, questions):
        """What Coq answers to each of the questions, in one run."""
        path = os.path.join(self.work, "ask.v")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(self.start) + "\n")
            for i, question in enumerate(questions):
                f.write(f'Redirect "{self.work}/{i}" {question}.\n')
        done = subprocess.run(["coqc", *flags(), path], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            error = [line for line in done.stderr.splitlines() if not re.search("remapped|previously|Warning|overriding|^nie", line)]
            sys.exit("coqc: " + "\n".join(error)[-1000:])
        answers = []
        for i in range(len(questions)):
            with open(f"{self.work}/{i}.out", encoding="utf-8") as f:
                answers.append(f.read().strip())
        return answers

    def learn(self, names):
        """Fills [full]."""
        names = sorted(set(names) - set(self.full))
        for name, about in zip(names, self.ask([f"About {n}" for n in names]) if names else []):
            found = re.search(r"^Expands to: (\w+)\s+(\S+)", about, re.M)
            self.full[name] = (found.group(1), found.group(2)) if found else ("", name)

    def in_full(self, text):
        """The text, each name that is known written in full."""
        return NAME.sub(lambda m: self.full.get(m.group(), ("", m.group()))[1], text)
