# SPDX-License-Identifier: Apache-2.0
"""tools/pack-image, with a stand-in for the engine and for the kernel."""
import os
import re
import struct
import subprocess

from common import ROOT, Case, run
import fdt
import host_tree

ENGINE = """
.section .text, "ax"
.globl _start
_start: b _start
.word 0
.quad 0, 0, 0, 0, 0, 0
.ascii "ARM\\x64"
.word 0
.section .rodata, "a"
.balign 4096
.ascii "nie-man0"
.fill 4088
.bss
.balign 4096
.globl granules
granules: .space 8
"""
MIB = 1 << 20
BASE = 0x40200000


def words():
    """The numbers of the manifest's words, from the compiler."""
    header = os.path.join(ROOT, "abi", "manifest.h")
    with open(header, encoding="utf-8") as f:
        names = sorted(set(re.findall(r"\bMAN_\w+", f.read())))
    source = f'#include "{header}"\n' + "".join(f"unsigned long long v_{n} = {n};\n" for n in names)
    out = subprocess.run(["clang-19", "--target=aarch64-none-elf", "-x", "c", "-", "-S", "-o", "-"],
                         input=source, check=True, capture_output=True, text=True).stdout
    return {n: int(v) for n, v in re.findall(r"^v_(\w+):\n\s+\.xword\s+(\d+)", out, re.M)}


class Pack(Case):
    def setUp(self):
        super().setUp()
        source = self.write("e.S", ENGINE)
        self.elf = os.path.join(self.dir, "e.elf")
        subprocess.run(["clang-19", "--target=aarch64-none-elf", "-c", source, "-o", source + ".o"], check=True)
        subprocess.run(["ld.lld-19", "-Ttext=0", source + ".o", "-o", self.elf], check=True)
        head = bytearray(64)
        struct.pack_into("<QQ", head, 8, 0, 3 * MIB)
        head[56:60] = b"ARM\x64"
        self.kernel = self.write("Image", bytes(head) + b"kernel")
        self.initrd = self.write("initrd", b"initrd")

    def pack(self, memory=512, cpus=2, kernel=None):
        """Pack for such a machine; (status, what was said)."""
        tree = os.path.join(self.dir, "machine.dtb")
        machine = f"virt,virtualization=on,gic-version=3,dumpdtb={tree}"
        subprocess.run(["qemu-system-aarch64", "-M", machine, "-cpu", "max", "-smp", str(cpus), "-m",
                        str(memory), "-display", "none"], check=True, capture_output=True)
        return run(os.path.join(ROOT, "tools", "pack-image"), "--engine", self.elf, "--kernel",
                   kernel or self.kernel, "--initrd", self.initrd, "--dtb", tree, "--append", "hello",
                   "--out", os.path.join(self.dir, "out"), "--tree-out", os.path.join(self.dir, "host.dtb"))

    def manifest(self):
        image, number = self.read("out"), words()
        (at,) = [i for i in range(0, 1 << 20, 4096) if image[i : i + 8] == b"nie-man1"]
        page = struct.unpack_from("<32Q", image, at)
        return image, {n: page[i] for n, i in number.items() if i < 32}, page[number["MAN_DEVICE0"] :]

    def test_layout(self):
        self.assertEqual(self.pack(), (0, ""))
        image, man, _ = self.manifest()
        self.assertEqual(man["MAN_ENGINE_BASE"] * 4096, BASE)
        self.assertEqual((man["MAN_RAM_BASE"] * 4096, man["MAN_RAM_PAGES"]), (1 << 30, 512 * 256))
        self.assertEqual(man["MAN_CPUS"], 2)
        self.assertEqual(man["MAN_HOST_ENTRY"] % (2 * MIB), 0)
        self.assertEqual(man["MAN_HOST_ENTRY"], BASE + man["MAN_ENGINE_PAGES"] * 4096)
        tables = 1 + 2 + man["MAN_DEV_PAGES"] // 512 + man["MAN_RAM_PAGES"] // 512
        self.assertLessEqual(man["MAN_TABLES"] + tables, man["MAN_ENGINE_BASE"] + man["MAN_ENGINE_PAGES"])
        at = man["MAN_HOST_ENTRY"] - BASE
        self.assertEqual(image[at + 64 : at + 70], b"kernel")
        keep = (man["MAN_KEEP_BASE"] + man["MAN_KEEP_PAGES"]) * 4096
        self.assertEqual(struct.unpack_from("<Q", image, 16)[0], len(image))
        self.assertEqual(keep, BASE + len(image))
        self.assertEqual(man["MAN_KEEP_BASE"] * 4096, man["MAN_HOST_ENTRY"])

    def test_tree(self):
        self.pack()
        image, man, _ = self.manifest()
        tree = fdt.parse(image[man["MAN_HOST_DTB"] - BASE :])
        chosen = tree.child("chosen")
        start, end = (struct.unpack(">Q", chosen.props[f"linux,initrd-{e}"])[0] for e in ("start", "end"))
        self.assertEqual(image[start - BASE : end - BASE], b"initrd")
        self.assertGreaterEqual(start, man["MAN_HOST_ENTRY"] + 3 * MIB)
        self.assertEqual(chosen.props["bootargs"], b"hello\0")
        self.assertEqual(tree.child("nie").cells("interrupts"), [1, 11, 4, 1, 9, 4])
        memory = [r for n in tree.children if n.name.startswith("memory") for r in host_tree.ranges(n)]
        self.assertEqual(sum(size for _, size in memory), 512 * MIB - man["MAN_ENGINE_PAGES"] * 4096)
        for base, size in memory:
            self.assertTrue(base + size <= BASE or base >= man["MAN_HOST_ENTRY"])

    def test_no_bus_master(self):
        self.pack()
        tree = fdt.parse(self.read("host.dtb"))
        kinds = set()
        stack = [tree]
        while stack:
            node = stack.pop()
            stack += node.children
            kinds |= set(node.compatible())
        self.assertLessEqual({"arm,pl011", "arm,gic-v3", "nie,engine"}, kinds)
        for bad in ("virtio", "pci", "its", "smmu", "fw-cfg", "flash", "pmu"):
            self.assertFalse([k for k in kinds if bad in k], bad)

    def test_devices(self):
        self.pack()
        _, man, pairs = self.manifest()
        windows = [tuple(pairs[2 * i : 2 * i + 2]) for i in range(man["MAN_DEVICES"])]
        self.assertEqual(windows, [(0x8000, 16), (0x80A0, 64), (0x9000, 1), (0x9010, 1)])
        self.assertEqual((man["MAN_GICR"], man["MAN_UART"]), (0x80A0, 0x9000))
        self.assertEqual((man["MAN_DEV_BASE"], man["MAN_DEV_PAGES"]), (0x8000, 0x1200))

    def test_larger_machine(self):
        self.assertEqual(self.pack(memory=8192, cpus=8), (0, ""))
        _, man, _ = self.manifest()
        self.assertEqual((man["MAN_CPUS"], man["MAN_RAM_PAGES"]), (8, 8192 * 256))

    def test_too_little_memory(self):
        status, said = self.pack(memory=6)
        self.assertEqual(status, 1)
        self.assertIn("too little", said)

    def test_not_a_kernel(self):
        status, said = self.pack(kernel=self.write("bad", bytes(100)))
        self.assertEqual(status, 1)
        self.assertIn("not an arm64 Image", said)
