# SPDX-License-Identifier: Apache-2.0
"""Boots of what is measured: build, run QEMU with test/bench/count.so, and read its samples."""
import bisect
import collections
import os
import re
import subprocess

import hostile
from hostile import Failed, sh

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "build", "test", "bench")
REPEATABLE = ["-accel", "tcg,thread=single", *hostile.REPEATABLE, "-seed", "1"]
ENGINE_BASE = 0x40200000  # where QEMU loads an Image
KERNEL = 0xffff800080000000  # Linux' own text starts here, its modules lie below (nokaslr)
LEVELS = ("el0", "el1", "el2", "low")  # low: EL1 at low addresses, the bare-metal guest's own


class Row:
    """The samples of one row: their mode, sample by sample."""

    def __init__(self):
        self.samples = collections.Counter()

    def add(self, fields):
        self.samples[tuple(fields)] += 1

    @property
    def count(self):
        return sum(self.samples.values())

    @property
    def mode(self):
        """{level: instructions} of the most frequent total; of several such samples the most frequent one."""
        totals = collections.Counter()
        for sample, n in self.samples.items():
            totals[sum(sample[:3])] += n
        best = max(totals.items(), key=lambda item: (item[1], -item[0]))[0]
        sample = max((s for s in self.samples if sum(s[:3]) == best), key=lambda s: self.samples[s])
        return dict(zip(LEVELS, sample), stays=sample[4:], share=totals[best] / self.count)


def build(what=()):
    """The engine and what test/bench has; `what`: parts of ./nie build beside them."""
    os.makedirs(OUT, exist_ok=True)
    sh("make", "-s", "-j2", "-C", "test/bench")
    sh("make", "-s", "-j2", "-C", "engine", f"O={ROOT}/build/engine")
    if what:
        sh("tools/cmd/build", *what)


def machine(cpu, cpus, memory):
    return hostile.machine(cpu, cpus, memory, its=False)


def pack(name, cpu, cpus, memory, kernel, initrd=None, append="", test=None):
    """An image with the engine in front of `kernel`; `test`: the name that a bare-metal host looks for."""
    image = hostile.pack("build/engine/engine.elf", kernel, machine(cpu, cpus, memory), initrd, append)
    if test:
        hostile.name_test(image, test)
    with open(f"{OUT}/{name}.img", "wb") as f:
        f.write(image)
    return ["-kernel", f"{OUT}/{name}.img"]


def run(name, arguments, verdict, seconds=900, profile=None, life=None):
    """{row: Row} of one boot; Failed unless the console has the line `verdict`."""
    samples, log = f"{OUT}/{name}.samples", f"{OUT}/{name}.log"
    plugin = f"{OUT}/count.so,out={samples}" + (f",profile={profile}" if profile is not None else "") + (
        f",life={life}" if life else "")
    try:
        subprocess.run(["qemu-system-aarch64", *arguments, *REPEATABLE, "-plugin", plugin, "-serial", f"file:{log}",
                        "-monitor", "none"], timeout=seconds, check=True, capture_output=True, text=True)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{name}: no end after {seconds} s; see {log}") from late
    except subprocess.CalledProcessError as died:
        raise Failed(f"{name}: QEMU: {died.stderr[-300:]}") from died
    with open(log, encoding="utf-8", errors="replace") as f:
        lines = [line.strip() for line in f]
    if verdict not in lines:
        raise Failed(f"{name}: the console does not say '{verdict}'; see {log}")
    return read(samples)


def read(path):
    rows = collections.defaultdict(Row)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            first, *rest = line.split("\t")
            if first.isdigit():
                rows[int(first)].add(map(int, rest))
    return rows


def bare(test="bench_paths", cpu="max", cpus=1, memory=128, profile=None):
    """The hostile host of test/qemu's kind, on the engine. memory: MiB."""
    boot = pack(f"{test}-{cpus}", cpu, cpus, memory, f"{OUT}/host.img", test=test)
    return run(f"{test}-{cpus}", machine(cpu, cpus, memory) + boot, "verdict: passed", 300, profile)


def linux(name, how, cpu="max", cpus=1, kernel="6.12", mode="", seconds=900, profile=None):
    """any_guest.S under Linux: how = nie (on the engine), kvm or protected."""
    sh("tools/initramfs", f"{OUT}/host.cpio", "test/bench/host.spec")
    # No random stack offset: filling its pool would be a part of every other system call.
    append = f"console=ttyAMA0 quiet nokaslr randomize_kstack_offset=off bench={how} vcpus={cpus} {mode}".strip()
    image = f"{ROOT}/build/kernel/Image-{kernel}"
    if how == "nie":
        boot = pack(name, cpu, cpus, 512, image, f"{OUT}/host.cpio", append)
    else:
        boot = ["-kernel", image, "-initrd", f"{OUT}/host.cpio", "-append", append]
    return run(name, machine(cpu, cpus, 512) + boot, "bench: ended with status 0", seconds, profile)


def life(name, how, kernel="6.12", mode="", seconds=1500):
    """(sample of ROW_LIFE, hash apart) of a Linux VM under Linux: how = life-nie, life-kvm or life-protected."""
    sh("make", "-s", "-C", "test/bench", "monitor")
    sh("tools/initramfs", f"{OUT}/vm.cpio", "test/bench/vm.spec")
    sh("tools/initramfs", f"{OUT}/life.cpio", "test/bench/host.spec", "test/bench/life.spec")
    start, end = (ENGINE_BASE + at for at in extent("sha256_block"))
    append = f"console=ttyAMA0 quiet nokaslr randomize_kstack_offset=off bench={how} {mode}".strip()
    image = f"{ROOT}/build/kernel/Image-{kernel}"
    if how == "life-nie":
        boot = pack(name, "max", 1, 1024, image, f"{OUT}/life.cpio", append)
    else:
        boot = ["-kernel", image, "-initrd", f"{OUT}/life.cpio", "-append", append]
    return run(name, machine("max", 1, 1024) + boot, "bench: ended with status 0", seconds, life=f"{start:x}:{end:x}")


def xen(name):
    """any_guest.S as the first domain of Xen."""
    tree, guest, at = f"{OUT}/{name}.dtb", f"{OUT}/guest.img", 0x50000000
    node, arguments = f"/chosen/module@{at:x}", machine("max", 1, 1024)
    sh("qemu-system-aarch64", *arguments, "-machine", "dumpdtb=" + tree)
    sh("fdtput", "-t", "s", tree, "/chosen", "xen,xen-bootargs", "console=dtuart dtuart=/pl011@9000000 dom0_mem=256M")
    sh("fdtput", "-c", tree, node)
    sh("fdtput", "-t", "s", tree, node, "compatible", "multiboot,kernel", "multiboot,module")
    sh("fdtput", "-t", "x", tree, node, "reg", "0", f"{at:x}", "0", f"{os.path.getsize(guest):x}")
    boot = ["-kernel", f"{ROOT}/build/pkg/xen/xen", "-dtb", tree, "-device",
            f"loader,file={guest},addr={at:#x},force-raw=on"]
    return run(name, arguments + boot, "(XEN) Hardware Dom0 halted: halting machine")


def functions():
    """[(offset in the engine, name)] of its code, in order."""
    text = sh("llvm-nm-19", "-n", "build/engine/engine.elf")
    return [(int(p[0], 16), p[2]) for p in (line.split() for line in text.splitlines()) if p[1:2] in (["t"], ["T"])]


def extent(function):
    """Where it begins and where the next one does."""
    names = functions()
    at = [name for _, name in names].index(function)
    return names[at][0], names[at + 1][0]


def name_at(names, at):
    """Of [(start, name)] in order the last one that begins at or before `at`."""
    return names[bisect.bisect_right(names, (at, "\x7f")) - 1][1]


def places(samples):
    """[(exception level, address, how often it ran)] of a run with a profile."""
    with open(samples, encoding="utf-8") as lines:
        parts = [line.split() for line in lines if line.startswith("pc")]
    return [(int(level), int(at, 16), int(n)) for _, level, at, n in parts]


def hot_functions(samples, count):
    """[(function of the engine, instructions a sample)], most first, of a run with a profile."""
    found, names = collections.Counter(), functions()
    for level, at, n in places(samples):
        if level == 2:
            found[name_at(names, at - ENGINE_BASE)] += n
    return [(name, n / count) for name, n in found.most_common()]


def module_functions(name, count):
    """The same of nie.ko's functions; the host printed where they are when it had loaded the module."""
    with open(f"{OUT}/{name}.log", encoding="utf-8", errors="replace") as log:
        names = sorted((int(at, 16), f) for at, f in re.findall(r"([0-9a-f]{16}) [tT] (\w+)\s+\[nie\]", log.read()))
    if not names:
        raise Failed(f"{name}: the console has no symbols of nie.ko")
    found = collections.Counter()
    for level, at, n in places(f"{OUT}/{name}.samples"):
        if level == 1 and names[0][0] <= at < KERNEL:
            found[name_at(names, at)] += n
    return [(f, n / count) for f, n in found.most_common()]


def kinds_of_functions(samples, count):
    """{function of the engine: [system registers, loads and stores, the rest]}, instructions a sample."""
    kind, names, found = {}, functions(), collections.defaultdict(lambda: [0, 0, 0])
    for line in sh("llvm-objdump-19", "-d", "--no-show-raw-insn", "build/engine/engine.elf").splitlines():
        code = re.match(r"\s+([0-9a-f]+):\s+([\w.]+)", line)
        if code:
            kind[int(code[1], 16)] = 0 if code[2] in ("mrs", "msr") else 1 if code[2][:2] in ("ld", "st") else 2
    for level, at, n in places(samples):
        if level == 2:
            found[name_at(names, at - ENGINE_BASE)][kind[at - ENGINE_BASE]] += n
    return {name: [n / count for n in row] for name, row in found.items()}
