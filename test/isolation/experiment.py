# SPDX-License-Identifier: Apache-2.0
"""Boots the experiment's host on QEMU, reads its record from the machine's memory, compares two of them."""
import mmap
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import record

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))
import hostile  # noqa: E402

OUT = os.path.join(ROOT, "build", "test", "isolation")
SECONDS = 60       # of processor time, for one boot
PATIENCE = 1800    # seconds, whatever it does
RAM_BYTES = 128 << 20


class Failed(Exception):
    """What the experiment found, in a line."""


class Boot:
    """One boot: .text, the console; .memory, RAM as it was left; .ended, with the host's verdict."""

    def __init__(self, folder, image, seed):
        self.folder = tempfile.mkdtemp(dir=folder)
        kernel, ram = os.path.join(self.folder, "image"), os.path.join(self.folder, "ram")
        with open(kernel, "wb") as f:
            f.write(image)
        command = ["qemu-system-aarch64", *hostile.machine(extra=",memory-backend=ram"),
                   "-object", f"memory-backend-file,id=ram,size=128M,mem-path={ram},share=on",
                   "-monitor", "none", "-serial", "stdio", "-kernel", kernel, "-seed", str(seed), *hostile.REPEATABLE]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.ram, self.text, self.memory, self.ended = ram, "", None, False

    def wait(self):
        """Until the host's verdict. The host does nothing after it."""
        threading.Thread(target=self.watch, daemon=True).start()
        lines = []
        for line in self.process.stdout:
            lines.append(line.decode(errors="replace").rstrip())
            if lines[-1].startswith("verdict:"):
                break
        self.process.kill()
        self.process.wait()
        self.text = "\n".join(lines)
        with open(self.ram, "rb") as f:
            self.memory = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
        self.ended = lines[-1:] == ["verdict: done"]
        return self

    def watch(self):
        """Kills a machine that hangs. Only its own processor time counts: on a busy machine it is slow, and does not hang."""
        for _ in range(PATIENCE):
            if self.process.poll() is not None:
                return
            try:
                with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as f:
                    ticks = sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
            except OSError:
                return
            if ticks > SECONDS * os.sysconf("SC_CLK_TCK"):
                break
            time.sleep(1)
        self.process.kill()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.memory is not None:
            self.memory.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Bench:
    """The image, and what can be asked of it."""

    def __init__(self, engine=None):
        self.engine, self.words, self.bytes = engine, 0, 0

    def __enter__(self):
        shm = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.folder = tempfile.mkdtemp(prefix="nie-isolation-", dir=shm)
        self.image = self.pack()
        self.lists = self.find_registers()
        for mark, numbers in self.lists.items():
            self.patch(f"nie-list-of-{mark}".encode().ljust(16), struct.pack(f"<{len(numbers) + 1}I", len(numbers), *numbers))
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def pack(self):
        try:
            return hostile.pack(hostile.build("isolation", self.engine), f"{OUT}/host.img", hostile.machine())
        except hostile.Failed as why:
            raise SystemExit(f"{why}\n0 passed, 1 failed") from why

    def patch(self, mark, value, offset=0):
        assert self.image.count(mark) == 1, mark
        at = self.image.index(mark) + len(mark) + offset
        self.image[at : at + len(value)] = value

    def boot(self, name, secret, seed=0, steps=0, tell=0):
        self.patch(hostile.TEST_MARK, name.encode() + b"\0")
        self.patch(hostile.TEST_MARK, struct.pack("<QQQ", seed, steps, tell), 64)
        return Boot(self.folder, bytes(self.image), secret)

    def find_registers(self):
        """The numbers of the registers that go into the record, as the host and a VM find that they can read them."""
        boot = self.boot("isolation_lists", 1)
        try:
            text = boot.wait().text
        finally:
            boot.close()
        lists = {}
        for who, number in re.findall(r"^(host|vm) 0x([0-9a-f]+)$", text, re.M):
            if record.is_read(int(number, 16)):
                lists.setdefault(who, []).append(int(number, 16))
        # Two words of code each, in a page.
        if set(lists) != {"host", "vm"} or max(map(len, lists.values())) > 250:
            raise SystemExit("the lists of registers are not as expected\n0 passed, 1 failed")
        return lists

    def pair(self, seed, steps, secrets, tell=0):
        """The difference of two runs, or None, and how many words were compared."""
        boots = [self.boot("isolation", s, seed, steps, tell) for s in secrets]
        try:
            memories = [b.wait().memory for b in boots]
            # A record that was cut is compared with nothing.
            for b in boots:
                if not b.ended:
                    raise Failed("a boot did not end: " + " / ".join(b.text.splitlines()[-4:]))
            return record.compare(*memories, self.lists["host"])
        finally:
            for b in boots:
                b.close()

    def alike(self, seed, steps):
        result = self.pair(seed, steps, (1, 2))
        if result.difference:
            raise Failed(result.difference)
        if result.wrong:
            raise Failed(f"the victim's own state was not as it must be: {result.wrong}")
        if not result.secret_pages:
            raise Failed("the secrets do not differ")
        self.words += result.words
        self.bytes += result.bytes
        return f"{result.calls} calls, {result.exits} exits, {result.words} words alike; {result.secret_pages} secret pages differ"

    def repeats(self, seed, steps):
        """The same entropy twice: all of it is alike, the secret too."""
        result = self.pair(seed, steps, (7, 7))
        if result.difference or result.secret_pages:
            raise Failed(result.difference or "the secret is not the entropy's")
        return f"the same secret twice: {result.words} words alike, no page differs"

    def control(self, seed, steps):
        """The victim tells its secret at the end: the runs must differ, at that exit first."""
        result = self.pair(seed, steps, (1, 2), tell=1)
        if not result.difference:
            raise Failed("the secret was told, and nothing differs")
        if result.told is None or not result.difference.startswith(result.told):
            raise Failed("it differs before the secret was told: " + result.difference)
        return "the secret is told: seen, " + result.difference
