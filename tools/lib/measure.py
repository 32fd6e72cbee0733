# SPDX-License-Identifier: Apache-2.0
"""Boots of what is measured: build, run QEMU with test/bench/count.so, and read its samples."""
import collections
import os
import subprocess

import hostile
from hostile import Failed, sh

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "build", "test", "bench")
REPEATABLE = ["-accel", "tcg,thread=single", *hostile.REPEATABLE, "-seed", "1"]
ENGINE_BASE = 0x40200000  # where QEMU loads an Image
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


def bare(test="bench_paths", cpu="max", cpus=1, profile=None):
    """The hostile host of test/qemu's kind, on the engine."""
    boot = pack(f"{test}-{cpus}", cpu, cpus, 128, f"{OUT}/host.img", test=test)
    return run(f"{test}-{cpus}", machine(cpu, cpus, 128) + boot, "verdict: passed", 300, profile)


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


def hot_functions(samples, count):
    """[(function of the engine, instructions a sample)], most first, of a run with a profile."""
    found, names = collections.Counter(), functions()
    with open(samples, encoding="utf-8") as lines:
        for line in lines:
            first, *rest = line.split()
            if first == "pc" and rest[0] == "2":
                at = int(rest[1], 16) - ENGINE_BASE
                found[[name for start, name in names if start <= at][-1]] += int(rest[2])
    return [(name, n / count) for name, n in found.most_common()]
