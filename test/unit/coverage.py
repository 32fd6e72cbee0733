# SPDX-License-Identifier: Apache-2.0
"""Each status that docs/CALLS.md gives a call was reached by a test, and no other: coverage.py CALLS.md PAIRS."""
import re
import sys


def documented(path):
    """(call, status) of the tables under the headings of the host's calls."""
    pairs, call = set(), None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#"):
                heading = re.match(r"### `(NIE_\w+)`", line)
                call = heading.group(1) if heading else None
            row = re.match(r"\| `(NIE_\w+)` \|", line)
            if row and call:
                pairs.add((call, row.group(1)))
    return pairs


def main():
    want = documented(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as lines:
        reached = {tuple(line.split()) for line in lines}
    calls = {call for call, _ in want}
    want |= {(call, "NIE_OK") for call in calls}
    for call, status in sorted(want - reached):
        print(f"FAILED coverage: no test reaches {status} of {call}")
    for call, status in sorted(reached - want):
        print(f"FAILED coverage: {call} answers {status}, which docs/CALLS.md does not give")
    print(f"{len(want)} pairs of {len(calls)} calls")
    sys.exit(1 if want != reached or len(calls) < 15 else 0)


if __name__ == "__main__":
    main()
