# SPDX-License-Identifier: Apache-2.0
"""Run a machine in QEMU and show its consoles until it powers off, its verdict or a hang.

console.py [--stall S] [--timeout S] [--log FILE] [--verdict REGEX] -- QEMU ARGUMENT...
The engine, the host and the VMs share one serial line: `nie: ` starts the engine's lines and
`[NAME] ` those of VM NAME. The first group of --verdict must be PASS or 0. Exit status: 0 passed,
1 failed or no verdict, 3 hang, 130 interrupted.
"""
import argparse
import glob
import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time

COLOURS = {"engine": "1;35", "host": "1;34"}
VM_COLOURS = ["1;32", "1;33", "1;36", "1;31"]
PASSED = ("PASS", "0")
STAGES = [
    (r"^nie: ", "the host's kernel boots"),
    (r"^nie-host: up", "the VMs are started"),
    (r"^\[.*\] nie-guest: up", "the VMs work"),
    (r"^attack ", "the VMs go on after the attacks"),
    (r"^nie-demo: ", "the machine powers off"),
]


class Screen:
    """Console lines with a prefix and a colour each, over one progress line on a terminal."""

    def __init__(self, out):
        self.out, self.tty = out, out.isatty()
        self.colour = self.tty and "NO_COLOR" not in os.environ
        self.stage, self.vms, self.start = "the engine boots", {}, time.monotonic()

    def line(self, text):
        for pattern, stage in STAGES:
            if re.search(pattern, text):
                self.stage = stage
        who, text = split(text)
        if who not in COLOURS and who not in self.vms:
            self.vms[who] = VM_COLOURS[len(self.vms) % len(VM_COLOURS)]
        code = COLOURS.get(who) or self.vms[who]
        name = f"{who:>6} |"
        if self.colour:
            name = f"\033[{code}m{name}\033[0m"
        self.put(f"{name} {text}\n")

    def put(self, text):
        self.out.write(("\r\033[K" if self.tty else "") + text)
        self.out.flush()

    def progress(self):
        if self.tty:
            self.put(f"  ... {self.stage}, {time.monotonic() - self.start:.0f} s")


def split(text):
    """Who wrote a line, and what."""
    vm = re.match(r"\[([a-z][a-z0-9_-]{0,15})\] ?(.*)", text)
    if vm:
        return vm.group(1), vm.group(2)
    return ("engine" if text.startswith("nie: ") else "host"), text


# A VM's bytes end on the user's terminal: nothing in them may move its cursor or set its title.
def printable(data):
    text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\))", "", data.decode("utf-8", "replace"))
    return "".join(c if c.isprintable() or c == "\t" else "" for c in text)


SAMPLES = 4


def last_state(monitor):
    """Where each CPU is, by QEMU's monitor, a few times: a CPU that waits and one that loops differ."""
    places = {}
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(monitor)
            ask(s, "")
            for _ in range(SAMPLES):
                text = ask(s, "info registers -a\n")
                for c, pc, level in re.findall(r"CPU#(\d+)\s+PC=([0-9a-f]+).*?PSTATE=\S+ \S+ (EL\w+)", text, re.S):
                    places.setdefault(c, []).append(f"{level} 0x{pc}")
                time.sleep(0.3)
    except OSError as e:
        return [f"QEMU's monitor does not answer: {e}"]
    return [f"CPU {c}: {', '.join(at)}" for c, at in places.items()] or ["no CPU was shown"]


def ask(monitor, command):
    """The monitor's answer, up to its next prompt. It echoes the command without a line's end first."""
    monitor.sendall(command.encode())
    text = ""
    while not text.endswith("(qemu) "):
        data = monitor.recv(65536)
        if not data:
            break
        text += data.decode("utf-8", "replace")
    return text


def waited(pid):
    """Seconds that the busiest thread of a process was ready to run and had no processor; 0 if unknown.

    The second word of schedstat, Linux' Documentation/scheduler/sched-stats.rst, in nanoseconds.
    """
    longest = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path, encoding="ascii") as f:
                longest = max(longest, int(f.read().split()[1]))
        except (OSError, IndexError):
            pass  # a thread that has ended
    return longest / 1e9


class Run:
    """One machine from start to end."""

    def __init__(self, a):
        self.a, self.verdict, self.screen, self.starved = a, None, Screen(sys.stdout), 0
        self.dir = tempfile.TemporaryDirectory()
        self.monitor = os.path.join(self.dir.name, "monitor")
        self.log = open(a.log, "wb") if a.log else None
        command = a.command + ["-serial", "stdio", "-monitor", f"unix:{self.monitor},server,nowait"]
        self.qemu = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def show(self, data):
        """Show a line; False when it is a kernel's message: one that is stuck repeats that it is."""
        text = printable(data)
        found = self.a.verdict and re.search(self.a.verdict, text)
        # The first failure stands, whatever is printed after it.
        if found and self.verdict in PASSED + (None,):
            self.verdict = found.group(1)
        self.screen.line(text)
        return not re.match(r"\[ *\d+\.\d+\] ", split(text)[1])

    def clock(self):
        """Seconds, without those in which others had the processors: a busy machine is no hang."""
        self.starved = max(self.starved, waited(self.qemu.pid))
        return time.monotonic() - self.starved

    def watch(self):
        """Until QEMU ends: None; or why it was taken for hanging."""
        start = heard = now = self.clock()
        pending = b""
        selector = selectors.DefaultSelector()
        selector.register(self.qemu.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(0.5):
                data = os.read(self.qemu.stdout.fileno(), 65536)
                if not data:
                    return None
                if self.log:
                    self.log.write(data)
                    self.log.flush()
                *lines, pending = (pending + data).split(b"\n")
                if any([self.show(line.rstrip(b"\r")) for line in lines]):
                    heard = now
            now = self.clock()
            if now - heard > self.a.stall:
                return f"nothing but kernels' messages for {self.a.stall} s"
            if now - start > self.a.timeout:
                return f"it did not end within {self.a.timeout} s"
            self.screen.progress()

    def end(self, hang):
        """The exit status, and a line that says why."""
        if hang:
            busy = f", without {self.starved:.0f} s in which other programs had the processors" if self.starved > 1 else ""
            self.screen.put(f"HANG while {self.screen.stage}: {hang}{busy}\n")
            for line in last_state(self.monitor):
                self.screen.put(f"       {line}\n")
            return 3
        status = self.qemu.wait()
        if status != 0:
            self.screen.put(f"QEMU ended with status {status}\n")
            return 1
        if self.verdict in PASSED:
            self.screen.put(f"PASSED in {time.monotonic() - self.screen.start:.0f} s\n")
            return 0
        said = f"the verdict is '{self.verdict}'" if self.verdict else "no verdict was printed"
        self.screen.put(f"FAILED: {said}\n")
        return 1

    def close(self):
        if self.qemu.poll() is None:
            self.qemu.kill()
            self.qemu.wait()
        if self.log:
            self.log.close()
        self.dir.cleanup()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--stall", type=int, default=120)
    p.add_argument("--timeout", type=int, default=900)
    p.add_argument("--log")
    p.add_argument("--verdict")
    p.add_argument("command", nargs="+")
    a = p.parse_args()
    run = Run(a)
    try:
        status = run.end(run.watch())
    except KeyboardInterrupt:
        run.screen.put("interrupted\n")
        status = 130
    finally:
        run.close()
    run.screen.put("")
    sys.exit(status)


if __name__ == "__main__":
    main()
