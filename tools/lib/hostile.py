# SPDX-License-Identifier: Apache-2.0
"""A bare-metal host on the engine, under QEMU: the machine, the packed image, the test that the host is to run."""
import os
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEST_MARK = b"nie-test-name:"  # test/qemu/main.c
# Virtual time is the number of instructions: the same sequence in every run.
REPEATABLE = ["-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm"]


class Failed(RuntimeError):
    """Something did not build or did not run; the text says which and why."""


def sh(*command):
    """What it prints, run in the tree's root; Failed with the end of that."""
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command[:3])}: {done.stdout[-3000:]}")
    return done.stdout


def machine(cpu="max", cpus=4, memory=128, its=True, extra=""):
    """QEMU's options; `memory` in MiB, `extra`: more of the machine's own options."""
    its = ",its=on" if its else ""
    return ["-M", f"virt,virtualization=on,gic-version=3{its},dtb-randomness=off{extra}", "-cpu", cpu, "-smp", str(cpus),
            "-m", f"{memory}M", "-display", "none", "-nic", "none"]


def build(group, engine=None):
    """The group's host, and the engine: an ELF file, by default that of this tree, built for this group. Returns its path."""
    if engine is None:
        engine = f"{ROOT}/build/test/{group}/engine/engine.elf"
        sh("make", "-s", "-j2", "-C", "engine", f"O={os.path.dirname(engine)}")
    sh("make", "-s", "-j2", "-C", f"test/{group}")
    return engine


def pack(engine, kernel, options, initrd=None, append=""):
    """The image for QEMU's -kernel: the engine in front of `kernel`, for the machine of `options`. Without an initrd an empty one."""
    with tempfile.TemporaryDirectory(prefix="nie-pack-") as folder:
        tree, empty, image = (os.path.join(folder, name) for name in ("tree", "initrd", "image"))
        with open(empty, "wb") as f:
            f.write(bytes(4096))
        sh("qemu-system-aarch64", *options, "-machine", "dumpdtb=" + tree)
        sh("tools/pack-image", "--engine", engine, "--kernel", kernel, "--initrd", initrd or empty, "--dtb", tree,
           "--append", append, "--out", image)
        with open(image, "rb") as f:
            return bytearray(f.read())


def name_test(image, name):
    """Which test the host is to run."""
    place = image.index(TEST_MARK) + len(TEST_MARK)
    image[place : place + len(name) + 1] = name.encode() + b"\0"
