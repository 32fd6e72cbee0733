# SPDX-License-Identifier: Apache-2.0
"""The host's device tree, made from the machine's.

The engine owns no SMMU yet, so the host may drive no device that can master the bus: the tree
keeps an allow-list and all else is dropped, known or not (docs/ARCHITECTURE, DMA).
"""
import fdt

# What is kept, by `compatible`: none of them can read or write memory by itself.
HARMLESS = {"arm,psci", "arm,gic-v3", "arm,armv8-timer", "arm,pl011", "arm,pl031", "fixed-clock"}
BY_NAME = {"cpus", "aliases", "chosen"}
PPI, LEVEL_HIGH = 1, 4
# Devicetree numbers private interrupts from INTID 16.
VIRTUAL_TIMER, MAINTENANCE = 27 - 16, 25 - 16


def host_tree(machine, memory, bootargs, initrd):
    """Edit the parsed tree `machine` in place and return it.

    memory: (base, size) pairs of RAM that is the host's, bytes. bootargs: its kernel's command
    line. initrd: (start, end) in bytes.
    """
    machine.children = [c for c in machine.children if _kept(c)]
    for base, size in memory:
        node = machine.child(f"memory@{base:x}")
        node.props = {"device_type": fdt.text("memory"), "reg": fdt.wide(base, size)}
    for node in machine.children:
        if "arm,gic-v3" in node.compatible():
            _distributor_only(node)
        if "arm,armv8-timer" in node.compatible():
            _physical_timer_only(node)
    nie = machine.child("nie")
    nie.props = {
        "compatible": fdt.text("nie,engine"),
        "interrupts": fdt.cells(PPI, VIRTUAL_TIMER, LEVEL_HIGH, PPI, MAINTENANCE, LEVEL_HIGH),
    }
    chosen = machine.child("chosen").props
    chosen["bootargs"] = fdt.text(bootargs)
    chosen["linux,initrd-start"], chosen["linux,initrd-end"] = map(fdt.wide, initrd)
    # These would make two boots differ, and the host's randomness is its own affair.
    for seed in ("kaslr-seed", "rng-seed"):
        chosen.pop(seed, None)
    return machine


def _kept(node):
    if node.name in BY_NAME:
        return True
    return bool(HARMLESS.intersection(node.compatible()))


# The ITS below it masters the bus, and the maintenance interrupt goes to the `nie` node.
def _distributor_only(node):
    node.children = []
    node.props["#address-cells"] = fdt.cells(0)
    for prop in ("interrupts", "ranges", "#size-cells"):
        node.props.pop(prop, None)


# Linux at EL1 takes the virtual timer if it is offered; that one belongs to the VMs.
def _physical_timer_only(node):
    node.props["interrupts"] = fdt.cells(*node.cells("interrupts")[:6])
    node.props["interrupt-names"] = fdt.text("sec-phys", "phys")


def find(machine, compatible):
    """The nodes below the root with that `compatible`."""
    return [c for c in machine.children if compatible in c.compatible()]


def ranges(node):
    """A node's `reg` as (base, size) pairs in bytes, for two address and two size cells."""
    c = node.cells("reg")
    return [(c[i] << 32 | c[i + 1], c[i + 2] << 32 | c[i + 3]) for i in range(0, len(c), 4)]
