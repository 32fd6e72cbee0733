# SPDX-License-Identifier: Apache-2.0
"""One boot of the fuzzing host: the image, its parameters, the machine, what the console says."""
import os
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(ROOT, "build", "test", "fuzz")
sys.path.insert(0, os.path.join(ROOT, "tools", "lib"))
import hostile  # noqa: E402
from hostile import sh  # noqa: E402

MARK = b"nie-fuzz-params\0"
PLUGIN = [f"{HERE}/order.c", f"{ROOT}/test/bench/plugin.h"]
CPUS, OPS_MAX, BATCHES_MAX = 4, 512, 4096  # test/fuzz/fuzz.h
CALLS = ("VERSION VM_INFO VM_CREATE VM_ACTIVATE VM_STOP VM_DESTROY VCPU_CREATE VCPU_DESTROY VCPU_RUN TABLE_ADD TABLE_REMOVE "
         "PAGE_ADD PAGE_ADD_ZERO PAGE_REMOVE PAGE_SHARED_ADD (unknown)").split()
EXITS = ("- IRQ WFI MMIO_READ MMIO_WRITE PAGE_MISSING HOST_CALL SGI CPU_ON CPU_OFF SYSTEM_OFF SYSTEM_RESET SERROR").split()


class Case:
    """What decides a boot. `skip_batches` and `skip_ops` (pairs of CPU and operation) are what shrinking leaves out."""

    def __init__(self, seed, mode="threads", batches=64, ops=128, piece=3000, cpus=15, skip_batches=(), skip_ops=(), cpu="max"):
        self.seed, self.mode, self.batches, self.ops, self.piece, self.cpus, self.cpu = seed, mode, batches, ops, piece, cpus, cpu
        self.skip_batches, self.skip_ops = set(skip_batches), set(skip_ops)

    def params(self):
        """struct params of fuzz.h."""
        batches, ops = [0] * (BATCHES_MAX // 64), [0] * (CPUS * OPS_MAX // 64)
        for b in self.skip_batches:
            batches[b // 64] |= 1 << b % 64
        for cpu, op in self.skip_ops:
            ops[(cpu * OPS_MAX + op) // 64] |= 1 << op % 64
        piece = self.piece if self.mode == "icount" else 0
        head = [self.seed, self.batches, self.ops, piece, self.cpus]
        return MARK + struct.pack(f"<{len(head) + len(batches) + len(ops)}Q", *head, *batches, *ops)

    def write(self, path):
        """The file for --replay."""
        with open(path, "w", encoding="utf-8") as f:
            for name in ("seed", "mode", "batches", "ops", "piece", "cpus", "cpu"):
                f.write(f"{name} {getattr(self, name)}\n")
            f.write("".join(f"skip-batch {b}\n" for b in sorted(self.skip_batches)))
            f.write("".join(f"skip-op {c} {o}\n" for c, o in sorted(self.skip_ops)))

    @staticmethod
    def read(path):
        """The case of a file that write() made; ValueError with the line otherwise."""
        case = Case(0)
        with open(path, encoding="utf-8") as f:
            for n, line in enumerate(f, 1):
                name, *values = line.split() or [""]
                try:
                    if name == "skip-batch":
                        case.skip_batches.add(int(values[0]))
                    elif name == "skip-op":
                        case.skip_ops.add((int(values[0]), int(values[1])))
                    elif name in ("mode", "cpu"):
                        setattr(case, name, values[0])
                    elif name in ("seed", "batches", "ops", "piece", "cpus"):
                        setattr(case, name, int(values[0]))
                    elif name and not name.startswith("#"):
                        raise ValueError
                except (ValueError, IndexError):
                    raise ValueError(f"{path}:{n}: not understood: {line.rstrip()}") from None
        return case


def build(cpu="max", engine=None):
    """The packed image, with the test's name in it; `engine` is an ELF file, by default that of this tree."""
    image = hostile.pack(hostile.build("fuzz", engine), f"{OUT}/host.img", hostile.machine(cpu, CPUS))
    hostile.name_test(image, "fuzz")
    return image


def specification():
    """The program that replays a log on the extracted specification; built when it is not there."""
    sh("make", "-s", "-j2", "-C", "test/oracle", f"{ROOT}/build/test/oracle/check")
    return f"{ROOT}/build/test/oracle/check"


class Order:
    """Where the plugin's log goes: to a file, to the specification of test/oracle (`check`), or nowhere."""

    def __init__(self, log=None, check=None, engine=None):
        self.log, self.check, self.engine = log, check, engine
        self.process, self.options, self.fds = None, [], ()

    def start(self, nice):
        """The options for QEMU, before it starts; `nice` is a command's beginning."""
        if not self.log and not self.check:
            return
        where = self.log
        if self.check:
            reader, writer = os.pipe()
            self.process = subprocess.Popen([*nice, self.check, "--summary"], stdin=reader, text=True, stdout=subprocess.PIPE)
            os.close(reader)
            self.fds, where = (writer,), f"/dev/fd/{writer}"
        self.options = ["-plugin", order_plugin(where, self.engine)]

    def end(self):
        """After QEMU has ended: what differs, or None."""
        if not self.process:
            return None
        os.close(self.fds[0])
        said = self.process.communicate()[0].splitlines()
        self.process, self.fds = None, ()
        if said and "agree" in said[-1]:
            return None
        return "the specification differs: " + next((line for line in said if line.startswith("exception ")), (said or ["it says nothing"])[-1])


def order_plugin(log, engine=None, base=0x40200000):
    """QEMU's -plugin that writes what the engine does, in the order of its lock, to the file `log`."""
    engine = engine or f"{OUT}/engine/engine.elf"
    if not os.path.exists(f"{OUT}/order.so") or os.path.getmtime(f"{OUT}/order.so") < max(map(os.path.getmtime, PLUGIN)):
        sh("gcc", "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", PLUGIN[0], "-o", f"{OUT}/order.so")
    table = subprocess.run(["llvm-nm-19", "-S", engine], check=True, text=True, stdout=subprocess.PIPE).stdout
    at = {f[3]: (base + int(f[0], 16), int(f[1], 16)) for f in (line.split() for line in table.splitlines()) if len(f) == 4}
    return (f"{OUT}/order.so,out={log},trap={at['trap'][0]:#x},end={sum(at['trap']):#x},"
            + ",".join(f"{name}={at[name][0]:#x}" for name in ("cpus", "vcpus", "config")))


class Result:
    """What a boot came to. `why` is None when it passed."""

    def __init__(self, lines, why):
        self.lines, self.why = lines, why
        self.calls, self.exits, self.touches, self.smcs, self.batch, self.pace = {}, {}, 0, 0, 0, 0
        for line in lines:
            word, *rest = line.split() or [""]
            if word == "failed-in-batch":
                self.batch = int(rest[0], 16)
            if len(rest) != 3 or word not in ("call", "exit", "touch", "smc", "batch", "pace"):
                continue
            a, b, n = (int(x, 16) for x in rest)
            if word == "call":
                self.calls[CALLS[a], b] = n
            elif word == "exit":
                self.exits[EXITS[a]] = n
            elif word == "batch":
                self.batch = a
            else:
                setattr(self, {"touch": "touches", "smc": "smcs", "pace": "pace"}[word], n)

    def total(self):
        """Calls in all."""
        return sum(self.calls.values())


def judged(lines, late, status):
    """Why the boot failed, or None."""
    panic = [line for line in lines if line.startswith("nie: panic")]
    if panic or late:
        return panic[0] if panic else late
    if "verdict: failed" in lines:
        return next((x for x in reversed(lines) if " is 0x" in x), "a check failed")
    return None if "verdict: passed" in lines and status == 0 else f"no verdict, QEMU's status {status}"


def boot(image, case, seconds=300, order=None, on_line=None, below=None):
    """Run one case, as long as it says something every `seconds`; on_line gets each line of the console, `order` the calls; `below` is how
    nice the machine is."""
    place = image.index(MARK)
    params = case.params()
    image[place : place + len(params)] = params
    path = f"{OUT}/image-{os.getpid()}"
    with open(path, "wb") as f:
        f.write(image)
    nice = ["nice", "-n", str(below)] if below else []
    command = nice + ["qemu-system-aarch64", *hostile.machine(case.cpu, CPUS), "-monitor", "none", "-kernel", path, "-serial", "stdio"]
    command += [*hostile.REPEATABLE, "-seed", "1"] if case.mode == "icount" else ["-accel", "tcg,thread=multi"]
    order = order or Order()
    order.start(nice)
    command += order.options
    lines, late, alive = [], [], [time.time()]
    patience = seconds * (12 if below else 1)  # who is nice may starve for long

    def watch():
        while p.poll() is None:
            if time.time() - alive[0] > patience * max(1, os.getloadavg()[0] / os.cpu_count()):
                late.append(True)
                p.kill()
            time.sleep(0.5)

    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=order.fds) as p:
        threading.Thread(target=watch, daemon=True).start()
        for line in p.stdout:
            alive[0] = time.time()
            lines.append(line.decode(errors="replace").rstrip())
            if on_line:
                on_line(lines[-1])
            # A host that failed waits for ever, and so does an engine that panics.
            if lines[-1] == "verdict: failed" or lines[-1].startswith("nie: panic"):
                p.kill()
    os.remove(path)
    differs = order.end()
    return Result(lines, judged(lines, f"silent for {patience} s and more" if late else None, p.returncode) or differs)
