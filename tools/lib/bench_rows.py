# SPDX-License-Identifier: Apache-2.0
"""What ./nie bench measures: the rows, their bars, the peers, and which boot gives which number."""
import os
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


def scale_rows():
    """[(VMs, instructions of one exit and entry at EL2)]."""
    got = measure.bare("bench_scale")
    return [(1 << k, got[N["ROW_SCALE"] + k].mode["el2"]) for k in range(7)]


def cpu_rows():
    """[(CPUs of the machine, null call, exit and entry)], at EL2."""
    found = []
    for cpus in (1, 2, 4, 8):
        got = measure.bare("bench_paths", cpus=cpus)
        found.append((cpus, got[N["ROW_HOST_NULL"]].mode["el2"], got[N["ROW_VM_EXIT"]].mode["el2"]))
    return found


def guest_rows(system):
    """{row name: mode} of any_guest.S on a system."""
    how, kernel, mode = SYSTEMS[system]
    file = re.sub(r"\W+", "-", system)
    got = measure.xen(file) if how == "xen" else measure.linux(file, how, kernel=kernel, mode=mode)
    return {name: dict(got[n].mode, samples=got[n].count) for name, n in N.items() if n in got}


def sgi_rows(system):
    """The same with two vCPUs on two CPUs: only interrupts between them."""
    how, kernel, mode = SYSTEMS[system]
    got = measure.linux(re.sub(r"\W+", "-", system) + "-2", how, kernel=kernel, mode=mode, cpus=2)
    row = got[N["ROW_GUEST_SGI"]]
    return dict(row.mode, samples=row.count)


def life_row(system):
    """Instructions of a Linux VM's whole life: {"el2", "host": its kernel's, "hash", "vm": the VM's own kernel's}."""
    how, kernel, mode = LIVES[system]
    got = measure.life("life-" + re.sub(r"\W+", "-", system), how, kernel, mode)[N["ROW_LIFE"]]
    if got.count != 1:
        raise measure.Failed(f"a life on {system} left {got.count} samples, not one")
    _, el1, el2, _, hashed, _, own = next(iter(got.samples))
    return {"el2": el2 - hashed, "host": el1 - own, "hash": hashed, "vm": own}


def engine_pages(memory):
    """Pages that the engine takes of a machine with `memory` MiB: the manifest says."""
    image = measure.pack(f"memory-{memory}", "max", 1, memory, f"{measure.OUT}/host.img")[1]
    with open(image, "rb") as f:
        data = f.read()
    base = data.index((0x316E616D2D65696E).to_bytes(8, "little"))
    return int.from_bytes(data[base + 16:base + 24], "little")


def sizes():
    """{what: bytes} of the engine: its image, what it takes of RAM, a VM's static state and contexts."""
    elf = f"{measure.ROOT}/build/engine/engine.elf"
    text = subprocess.run(["llvm-nm-19", "-S", elf], check=True, capture_output=True, text=True).stdout
    symbol = {p[3]: int(p[1], 16) for p in (line.split() for line in text.splitlines()) if len(p) == 4}
    per_vm = (symbol["vms"] + symbol["vcpus"] + symbol["lasts"]) // 64
    return {
        "image": os.path.getsize(f"{measure.ROOT}/build/engine/engine.img"),
        "1 GiB": engine_pages(1024) * 4096,
        "each further GiB": (engine_pages(2048) - engine_pages(1024)) * 4096,
        "VM, static": per_vm,
        "eight contexts": 8 * 4096,
    }
