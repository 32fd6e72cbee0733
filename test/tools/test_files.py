# SPDX-License-Identifier: Apache-2.0
"""Device trees, kernels and initramfs archives."""
import gzip
import os
import struct
import subprocess

from common import ROOT, Case, run
import fdt
import raw_image

IMAGE = b"code" * 14 + b"ARM\x64" + bytes(100)


class Tree(Case):
    def test_same_as_dtc(self):
        source = '/dts-v1/; / { a = <1 2>; empty; s = "x", "yy"; n@1 { a = [01 02 03]; m {}; }; };'
        path = self.write("t.dts", source)
        subprocess.run(["dtc", "-q", "-O", "dtb", "-o", path + "b", path], check=True)
        again = self.write("again.dtb", fdt.serialise(fdt.parse(self.read("t.dtsb"))))
        ours, theirs = (
            subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", p], check=True, capture_output=True)
            for p in (again, path + "b")
        )
        self.assertEqual(ours.stdout, theirs.stdout)

    def test_not_a_tree(self):
        with self.assertRaises(ValueError):
            fdt.parse(bytes(64))


class Kernel(Case):
    def test_raw_stays(self):
        self.assertEqual(raw_image.raw_image(IMAGE), IMAGE)

    def test_gzip(self):
        self.assertEqual(raw_image.raw_image(gzip.compress(IMAGE)), IMAGE)

    def test_zboot(self):
        packed = gzip.compress(IMAGE)
        head = b"MZ\0\0zimg" + struct.pack("<II", 64, len(packed)) + bytes(8) + b"gzip".ljust(40, b"\0")
        self.assertEqual(raw_image.raw_image(head + packed), IMAGE)

    def test_zboot_cut_off(self):
        head = b"MZ\0\0zimg" + struct.pack("<II", 64, 1000) + bytes(8) + b"gzip".ljust(40, b"\0")
        with self.assertRaises(ValueError):
            raw_image.raw_image(head)

    def test_other_machine(self):
        with self.assertRaises(ValueError):
            raw_image.raw_image(bytes(200))


class Initramfs(Case):
    tool = os.path.join(ROOT, "tools", "initramfs")

    def build(self, spec, out="o.cpio"):
        return run(self.tool, os.path.join(self.dir, out), self.write("spec", spec))

    def test_read_by_cpio(self):
        self.build("dir d 755\nfile d/f 644 nie # text\nlink l d/f\n")
        listed = subprocess.run(["cpio", "-t"], input=self.read("o.cpio"), capture_output=True, check=True)
        self.assertEqual(listed.stdout.split(), [b"d", b"d/f", b"l"])
        text = subprocess.run(
            ["cpio", "-i", "--to-stdout", "d/f"], input=self.read("o.cpio"), capture_output=True, check=True
        )
        with open(os.path.join(ROOT, "nie"), "rb") as f:
            self.assertEqual(text.stdout, f.read())

    def test_same_bytes(self):
        self.build("file f 644 nie\n", "a.cpio.gz")
        self.build("file f 644 nie\n", "b.cpio.gz")
        self.assertEqual(self.read("a.cpio.gz"), self.read("b.cpio.gz"))

    def test_missing_file(self):
        status, said = self.build("dir d 755\nfile f 644 no/such/file\n")
        self.assertEqual(status, 1)
        self.assertIn("spec:2:", said)
        self.assertFalse(os.path.exists(os.path.join(self.dir, "o.cpio")))

    def test_unknown_entry(self):
        status, said = self.build("sock s 644\n")
        self.assertEqual(status, 1)
        self.assertIn("no such entry", said)
