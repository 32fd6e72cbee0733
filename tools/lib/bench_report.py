# SPDX-License-Identifier: Apache-2.0
"""The table, the document and the plot of ./nie bench, from its results."""
import collections
import os
import subprocess

import bench_rows
import measure

PEERS = [s for s in bench_rows.SYSTEMS if s != "nie"]
# Xen serves these two at EL2 itself, for a domain that it trusts: another kind of work.
OTHER_WORK = {("Xen 4.17", "ROW_GUEST_GIC"), ("Xen 4.17", "ROW_GUEST_DEVICE")}
DIRECTION = 400  # instructions at EL2 of an exit, and of an entry


def line(title, bar, ours, peers=None, note="", unit="instructions"):
    """A row of the table. `met`: True, False, or None where there is no bar or no number."""
    met = None if bar is None or ours is None else ours <= bar
    return {"title": title, "bar": bar, "ours": ours, "peers": peers or {}, "note": note, "unit": unit, "met": met}


def peers_of(results, row):
    found = {s: bench_rows.total(results[f"guest/{s}"][row]) for s in PEERS
             if row in results.get(f"guest/{s}", {}) and (s, row) not in OTHER_WORK}
    for name, number in bench_rows.TRIAL_PEERS.get(row, {}).items():
        found[f"{name} ({bench_rows.TRIAL})"] = number
    return found


def engine_lines(results):
    bare = results.get("bare", {})
    null = bare.get("ROW_HOST_NULL")
    yield line("host asks the engine for nothing (NIE_VERSION)", 75, null and bench_rows.total(null),
               peers_of(results, "ROW_HOST_NULL"))
    for row, (title, bar) in bench_rows.GUEST.items():
        mode = results.get("guest/nie", {}).get(row)
        note = mode and f"EL2 {mode['el2']}, host's kernel {mode['el1']}, user space {mode['el0']}"
        yield line(title, bar, mode and bench_rows.total(mode), peers_of(results, row), note or "")
    stays = bare.get("ROW_VM_EXIT", {}).get("stays", [None, None])
    yield line("of an MMIO exit: at EL2, to the host", DIRECTION, stays[0])
    yield line("of an MMIO exit: at EL2, back to the VM", DIRECTION, stays[1])


def other_lines(results):
    sgi = {s: bench_rows.total(results[f"sgi/{s}"]) - 1 for s in ("nie", "KVM VHE", "KVM nVHE") if f"sgi/{s}" in results}
    ours = sgi.pop("nie", None)
    yield line("VM interrupts its other vCPU, which spins: both CPUs, without the spinning",
               min(sgi.values()) * 2 // 3 if sgi else None, ours, sgi, "bar: two thirds of the best KVM; 2 CPUs")
    bare, pkvm = results.get("bare", {}), "protected KVM, protected VM, newest"
    peer = results.get(f"guest/{pkvm}", {}).get("ROW_GUEST_PAGE")
    give, take = bare.get("ROW_PAGE_DEMAND"), bare.get("ROW_PAGE_REMOVE")
    yield line("VM touches a missing page, which is donated, scrubbed and mapped: at EL2", peer and peer["el2"] // 2,
               give and give["el2"], {pkvm: peer["el2"]} if peer else {},
               "bar: half of protected KVM. Under the bare-metal host: nie.ko gives a VM its memory when it loads it")
    back = results.get(f"guest/{pkvm}", {}).get("ROW_RECLAIM")
    back = back and collections.Counter(back["stays"]).most_common(1)[0][0]
    yield line("the page is taken back and scrubbed: at EL2", back and back // 2, take and take["el2"],
               {pkvm: back} if back else {}, "bar: half of protected KVM, its call that takes back one page")
    yield life_line(results)


def life_line(results):
    life = {s: results[f"life/{s}"] for s in bench_rows.LIVES if f"life/{s}" in results}
    cost = {s: life[s]["el2"] + life[s]["host"] for s in life}
    ours, bar = cost.pop("nie", None), cost.get("protected KVM, ordinary VM, newest")
    note = ours and (f"EL2 {number(life['nie']['el2'])}, host's kernel {number(life['nie']['host'])}; the hashing, apart, "
                     f"{number(life['nie']['hash'])}; bar: half of protected KVM, most of which "
                     "seems to be one loop of its newest kernel, see below: without it the bar would be missed")
    return line("create, boot to a shell and destroy a VM of 256 MiB: EL2 and the host's kernel", bar and bar // 2, ours, cost,
                note or "")


def size_lines(results):
    size = results.get("sizes")
    if not size:
        return
    yield line("RAM that the engine takes of 1 GiB", (1 << 30) // 200, size["1 GiB"], unit="bytes",
               note=f"its image and fixed tables of 64 VMs included; {size['1 GiB, used']:,} B of it are used")
    yield line("of 2 GiB", (2 << 30) // 200, size["2 GiB"], unit="bytes")
    yield line("of each further GiB", (1 << 30) // 200, size["each further GiB"], unit="bytes")
    yield line("a VM with eight vCPUs, beside its tables", 65536, size["VM, static"] + size["eight contexts"],
               unit="bytes", note="its eight run records, 32 KiB, stay the host's")
    yield line("engine image", 65536, size["image"], unit="bytes")


def judge(results):
    return [*engine_lines(results), *other_lines(results), *size_lines(results)]


def number(value):
    return "–" if value is None else f"{value:,}"


def verdict(entry):
    return {None: "–", True: "met", False: "**not met**"}[entry["met"]]


def table(lines):
    """For a terminal."""
    text = [f"{'':78} {'here':>10} {'bar':>10}"]
    for e in lines:
        text.append(f"{e['title']:78.78} {number(e['ours']):>10} {number(e['bar']):>10}  {verdict(e).strip('*')}")
        text += [f"    {name:74} {n:>10,}" for name, n in e["peers"].items()]
    return "\n".join(text)


def markdown(lines):
    text = ["| work | here | bar | | peers | |", "|---|---:|---:|---|---|---|"]
    for e in lines:
        unit = "" if e["unit"] == "instructions" else " B"
        peers = "; ".join(f"{name} {n:,}" for name, n in e["peers"].items())
        bar = number(e["bar"]) + (unit if e["bar"] else "")
        text.append(f"| {e['title']} | {number(e['ours'])}{unit if e['ours'] else ''} | {bar} | {verdict(e)} | {peers} | {e['note']} |")
    return "\n".join(text)


def scale_table(results):
    """At EL2, all of it."""
    text = []
    for what, rows in results.get("scale", {}).items():
        text += [f"| {what} | " + " | ".join(bench_rows.SCALE) + " |", "|---:|" + "---:|" * len(bench_rows.SCALE)]
        text += ["| " + " | ".join(number(n) for n in row) + " |" for row in rows]
        text.append("")
    text += ["| a VM reads where nothing is: the invalid entry is of | exit and entry |", "|---|---:|"]
    text += [f"| level {level} | {number(n)} |" for level, n in results.get("depth", [])]
    return "\n".join(text)


def lock_table(results):
    """Computed, not counted: see bench_rows.lock_wait."""
    functions, gic = results.get("exit"), results.get("guest/nie", {}).get("ROW_GUEST_GIC")
    if not functions or not gic:
        return ""
    free = sum(sum(functions[name]) for name in bench_rows.UNLOCKED)
    held = (sum(sum(kinds) for kinds in functions.values()) - free) / 2
    text = [f"The lock is held for {held:,.0f} instructions of a crossing at most; an exit has {free + gic['el1']:,.0f} outside of it.", "",
            "| instructions of the VM between two exits | 1 CPU | 2 CPUs | 4 CPUs | 8 CPUs |", "|---:|---:|---:|---:|---:|"]
    for vm in (0, 1000, 10000, 100000):
        waits = [bench_rows.lock_wait(cpus, held, free + gic["el1"], vm) for cpus in (1, 2, 4, 8)]
        text.append(f"| {vm:,} | " + " | ".join(f"{w:,.0f}" for w in waits) + " |")
    return "\n".join(text)


DIRECTIONS = {"exit_vcpu": "to the host", "fp_save": "to the host", "fp_zero": "to the host", "enter_vcpu": "to the VM",
              "fp_load": "to the VM"}


def where_table(results):
    """An exit and entry by function, and an interrupt between two vCPUs."""
    text = ["| exit and entry, at EL2 | | system registers | loads and stores | the rest | all |", "|---|---|---:|---:|---:|---:|"]
    functions = sorted(results.get("exit", {}).items(), key=lambda item: -sum(item[1]))
    for name, kinds in functions:
        text.append(f"| `{name}` | {DIRECTIONS.get(name, 'both')} | " + " | ".join(f"{n:,.0f}" for n in (*kinds, sum(kinds))) + " |")
    sums = [sum(kinds[i] for _, kinds in functions) for i in range(3)]
    text.append("| all | | " + " | ".join(f"{n:,.0f}" for n in (*sums, sum(sums))) + " |")
    sgi = results.get("sgi/nie")
    if sgi and "engine" in sgi:
        module = sum(n for _, n in sgi["module"])
        text += ["", "| an interrupt to the other vCPU | instructions |", "|---|---:|"]
        text += [f"| engine, `{name}` | {n:,.0f} |" for name, n in sgi["engine"] if n >= 10]
        text += [f"| nie.ko, `{name}` | {n:,.0f} |" for name, n in sgi["module"] if n >= 10]
        text += [f"| nie.ko, all | {module:,.0f} |", f"| Linux | {sgi['el1'] - module:,.0f} |"]
    return "\n".join(text)


def plot(results):
    """Bars of the three exits that every system has, by gnuplot."""
    data = os.path.join(measure.OUT, "plot.tsv")
    rows = list(bench_rows.GUEST)
    with open(data, "w", encoding="utf-8") as f:
        for system in bench_rows.SYSTEMS:
            got = results.get(f"guest/{system}", {})
            shown = [str(bench_rows.total(got[r])) if r in got and (system, r) not in OTHER_WORK else "0" for r in rows]
            label = system.replace(", ", ",\\n").replace(" in ", "\\nin ")
            f.write("\t".join([f'"{label}"', *shown]) + "\n")
    out = os.path.join(measure.ROOT, "docs", "benchmarks.svg")
    titles = ["version call", "GIC register, host's kernel", "device register, user space"]
    bars = ", ".join(f"'{data}' using {n + 2}:xtic(1) title \"{title}\"" for n, title in enumerate(titles))
    script = (f"set terminal svg size 900,420 font 'sans,11'; set output '{out}'; set style data histograms; "
              "set style fill solid 0.8; set logscale y; set yrange [10:*]; set grid ytics; set key outside top center horizontal; "
              "set bmargin 4; set datafile separator '\\t'; "
              f"set ylabel 'instructions, round trip (log)'; plot {bars}")
    subprocess.run(["gnuplot", "-e", script], check=True)


def write(results, lines):
    path = os.path.join(measure.ROOT, "docs", "BENCHMARKS.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    parts = {"table": markdown(lines), "scale": scale_table(results), "lock": lock_table(results), "where": where_table(results)}
    for name, body in parts.items():
        begin, end = f"<!-- {name}: written by ./nie bench --write -->", f"<!-- end of {name} -->"
        head, rest = text.split(begin)
        text = head + begin + "\n" + body + "\n" + end + rest.split(end)[1]
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    plot(results)
