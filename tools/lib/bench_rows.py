# SPDX-License-Identifier: Apache-2.0
"""What ./nie bench measures: the rows, their bars, the peers, and which boot gives which number."""
import heapq
import os
import random
import re
import subprocess

import measure

# Exact instructions that an earlier trial counted for peers that are not run here (QEMU 10, -cpu max, one CPU).
TRIAL = "trial"
# Of test/bench/rows.h.
with open(os.path.join(measure.ROOT, "test/bench/rows.h"), encoding="utf-8") as f:
    N = {k: int(v) for k, v in re.findall(r"#define (ROW_\w+) +(\d+)", f.read())}

# name: (how it boots, its kernel, its options); the VM of Xen is its first domain
SYSTEMS = {
    "nie": ("nie", "6.12", ""),
    "KVM VHE": ("kvm", "6.12", ""),
    "KVM nVHE": ("kvm", "6.12", "kvm-arm.mode=nvhe"),
    "KVM in protected mode": ("kvm", "6.12", "kvm-arm.mode=protected"),
    "protected KVM, protected VM, newest": ("protected", "new", "kvm-arm.mode=protected"),
    "Xen 4.17": ("xen", "", ""),
}
# Rows of any_guest.S: (title, bar or None)
GUEST = {
    "ROW_GUEST_CALL": ("VM asks for a version (PSCI_VERSION, HVC)", 140),
    "ROW_GUEST_GIC": ("VM reads GICD_TYPER, served by the host's kernel", 1400),
    "ROW_GUEST_DEVICE": ("VM reads a device register, served in user space", 4500),
}
# Where a Linux VM lives and dies; 6.12's protected mode kills its init (an undefined instruction, -cpu max), and a VM that
# the host cannot read says nothing there.
LIVES = {
    "nie": ("life-nie", "6.12", ""),
    "KVM VHE": ("life-kvm", "6.12", ""),
    "KVM nVHE": ("life-kvm", "6.12", "kvm-arm.mode=nvhe"),
    "protected KVM, ordinary VM, newest": ("life-kvm", "new", "kvm-arm.mode=protected"),
}
# Of the engine's code, what runs without the lock.
UNLOCKED = ("vectors", "from_lower", "quick", "slow", "resume")
TRIAL_PEERS = {
    "ROW_GUEST_CALL": {"Bao": 202},
    "ROW_HOST_NULL": {"Bao, refused call": 149, "KVM's own EL2, smallest call": 150},
}
# Rows of the bare-metal host: what CI watches.
BARE = {
    "bench_paths": {
        "ROW_HOST_NULL": "host asks for the version (null call)",
        "ROW_VM_VERSION": "VM asks for the version by HVC",
        "ROW_VM_PSCI": "VM asks for PSCI_VERSION by SMC",
        "ROW_VM_EXIT": "VM reads a device: exit and entry",
    },
    "bench_pages": {
        "ROW_PAGE_DEMAND": "VM touches a missing page: exit, PAGE_ADD_ZERO, entry",
        "ROW_PAGE_REMOVE": "PAGE_REMOVE of one page",
        "ROW_RANGE_ADD": "PAGE_ADD_ZERO of 512 pages",
        "ROW_RANGE_TAKE": "PAGE_REMOVE of 512 pages",
    },
}


def total(mode):
    """Instructions of a sample but for those of the guest that spins or of the bare-metal host."""
    return mode["el0"] + mode["el1"] + mode["el2"] + 1  # 1: the guest's instruction itself


def bare_rows():
    """{row name: mode} of the engine under the bare-metal host."""
    found = {}
    for test, rows in BARE.items():
        got = measure.bare(test)
        for name in rows:
            if N[name] not in got:
                raise measure.Failed(f"{test} has no samples of {name}")
            found[name] = dict(got[N[name]].mode, samples=got[N[name]].count)
    return found


# What the tables of scale show, under the bare-metal host: {title: row}.
SCALE = {"null call": "ROW_HOST_NULL", "entry and exit": "ROW_RUN", "a page given": "ROW_PAGE_ADD", "taken back": "ROW_PAGE_REMOVE"}


def scale_figures(test, **machine):
    """Instructions at EL2 of each of SCALE."""
    got = measure.bare(test, **machine)
    return [got[N[row]].mode["el2"] for row in SCALE.values()]


def scale_rows():
    """{what grows: [[how much, *scale_figures]]}: VMs that exist, CPUs and RAM of the machine, in MiB."""
    return {
        "VMs that exist": [[n, *scale_figures(f"bench_vms_{n}")] for n in (1, 2, 4, 8, 16, 32, 64)],
        "CPUs of the machine": [[n, *scale_figures("bench_vms_1", cpus=n)] for n in (1, 2, 4, 8)],
        "MiB of RAM": [[n, *scale_figures("bench_vms_1", memory=n)] for n in (128, 1024, 4096)],
    }


def depth_rows():
    """[(level, instructions at EL2 of an exit and entry)]: a VM reads an IPA whose entry of that level is invalid."""
    got = measure.bare("bench_depth")
    return [(level, got[N["ROW_HOLE"] + level - 1].mode["el2"]) for level in (1, 2, 3)]


def guest_rows(system):
    """{row name: mode} of any_guest.S on a system."""
    how, kernel, mode = SYSTEMS[system]
    file = re.sub(r"\W+", "-", system)
    got = measure.xen(file) if how == "xen" else measure.linux(file, how, kernel=kernel, mode=mode)
    return {name: dict(got[n].mode, samples=got[n].count) for name, n in N.items() if n in got}


def sgi_rows(system):
    """The same with two vCPUs on two CPUs: only interrupts between them. Of the engine also by function."""
    how, kernel, mode = SYSTEMS[system]
    file = re.sub(r"\W+", "-", system) + "-2"
    profile = N["ROW_GUEST_SGI"] if how == "nie" else None
    row = measure.linux(file, how, kernel=kernel, mode=mode, cpus=2, profile=profile)[N["ROW_GUEST_SGI"]]
    found = dict(row.mode, samples=row.count)
    if how == "nie":
        found["engine"] = measure.hot_functions(f"{measure.OUT}/{file}.samples", row.count)
        found["module"] = measure.module_functions(file, row.count)
    return found


def exit_rows():
    """{function: [system registers, loads and stores, the rest]} of an exit and entry under the bare-metal host."""
    count = measure.bare("bench_paths", profile=N["ROW_VM_EXIT"])[N["ROW_VM_EXIT"]].count
    return measure.kinds_of_functions(f"{measure.OUT}/bench_paths-1.samples", count)


def lock_wait(cpus, held, free, vm, turns=4000):
    """
    Mean instructions that one crossing into the engine waits for the lock, computed: `cpus` CPUs each in turn work
    (`free` for an exit, half on each side, and `vm` on average in the VM, exponentially) and hold the lock for `held`.
    Each instruction takes as long as any other; who asked first gets the lock.
    """
    number = random.Random(1)
    ready = [(number.random() * (held + free + vm), cpu, 0) for cpu in range(cpus)]
    heapq.heapify(ready)
    lock_free, waited = 0.0, 0.0
    for _ in range(turns * cpus):
        asked, cpu, turn = heapq.heappop(ready)
        begins = max(asked, lock_free)
        waited += begins - asked
        lock_free = begins + held
        work = free / 2 + (number.expovariate(1 / vm) if turn % 2 and vm else 0)
        heapq.heappush(ready, (lock_free + work, cpu, turn + 1))
    return waited / (turns * cpus)


def life_row(system):
    """Instructions of a Linux VM's whole life: {"el2", "host": its kernel's, "hash", "vm": the VM's own kernel's}."""
    how, kernel, mode = LIVES[system]
    got = measure.life("life-" + re.sub(r"\W+", "-", system), how, kernel, mode)[N["ROW_LIFE"]]
    if got.count != 1:
        raise measure.Failed(f"a life on {system} left {got.count} samples, not one")
    _, el1, el2, _, hashed, _, own = next(iter(got.samples))
    return {"el2": el2 - hashed, "host": el1 - own, "hash": hashed, "vm": own}


def engine_pages(memory):
    """(pages that the engine takes of a machine with `memory` MiB, those that it uses): the manifest says."""
    image = measure.pack(f"memory-{memory}", "max", 1, memory, f"{measure.OUT}/host.img")[1]
    with open(image, "rb") as f:
        data = f.read()
    base = data.index((0x316E616D2D65696E).to_bytes(8, "little"))
    word = [int.from_bytes(data[base + 8 * i:base + 8 * i + 8], "little") for i in range(32)]
    # abi/manifest.h: ENGINE_BASE, ENGINE_PAGES, RAM_BASE, RAM_PAGES, TABLES, DEV_PAGES; pack-image has the same sum.
    gibs = -(-(word[3] + word[4]) // 262144)
    return word[2], word[5] - word[1] + 1 + gibs + word[15] // 512 + word[4] // 512


def sizes():
    """{what: bytes} of the engine: its image, what it takes of RAM, a VM's static state and contexts."""
    elf = f"{measure.ROOT}/build/engine/engine.elf"
    text = subprocess.run(["llvm-nm-19", "-S", elf], check=True, capture_output=True, text=True).stdout
    symbol = {p[3]: int(p[1], 16) for p in (line.split() for line in text.splitlines()) if len(p) == 4}
    one, two = engine_pages(1024), engine_pages(2048)
    per_vm = (symbol["vms"] + symbol["vcpus"] + symbol["lasts"]) // 64
    return {
        "image": os.path.getsize(f"{measure.ROOT}/build/engine/engine.img"),
        "1 GiB": one[0] * 4096,
        "1 GiB, used": one[1] * 4096,
        "2 GiB": two[0] * 4096,
        "each further GiB": (two[0] - one[0]) * 4096,
        "VM, static": per_vm,
        "eight contexts": 8 * 4096,
    }
