# SPDX-License-Identifier: Apache-2.0
"""What the engine's sources say: constants of its control registers, registers switched, traps refused at boot."""
import os
import re
import subprocess
import tempfile

# Control register: the constant of engine/core/world.h in the host's and in a VM's context.
CORE_CONTROLS = {
    "HCR_EL2": ("HCR_HOST", "HCR_GUEST"), "CPTR_EL2": ("CPTR_BOTH", "CPTR_BOTH"),
    "MDCR_EL2": ("MDCR_BOTH", "MDCR_BOTH"), "CNTHCTL_EL2": ("CNTHCTL_HOST", "CNTHCTL_GUEST"),
    "ICC_SRE_EL2": ("ICC_SRE_BOTH", "ICC_SRE_BOTH"),
}


class Engine:
    """The sources under `root`."""

    def __init__(self, root):
        self.root = root
        self.world_c = self.read("core/state/world.c")
        self.el2_c = self.read("arch/el2.c")
        self.fp_s = self.read("arch/fp.S")
        self.vectors_s = self.read("arch/vectors.S")
        self.controls = self.core_controls()
        self.boot_controls()
        self.switched = self.enum_group()

    def read(self, path):
        with open(os.path.join(self.root, path), encoding="utf-8") as f:
            text = f.read()
        return re.sub(r"/\*.*?\*/", "", text, flags=re.S)

    def core_controls(self):
        """{register: (host, VM)}, as the compiler computes them; each must also be written by world.c."""
        names = sorted({n for pair in CORE_CONTROLS.values() for n in pair})
        lines = "".join(f'printf("{n} %llu\\n", (unsigned long long){n});' for n in names)
        program = f'#include <stdio.h>\n#include "core/world.h"\nint main(void) {{ {lines} return 0; }}\n'
        with tempfile.TemporaryDirectory() as folder:
            binary = os.path.join(folder, "constants")
            subprocess.run(["clang-19", "-std=c11", "-w", f"-I{self.root}", "-x", "c", "-", "-o", binary],
                           input=program, text=True, check=True)
            out = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
        value = {name: int(number) for name, number in (line.split() for line in out.splitlines())}
        found = {}
        for register, (host, vm) in CORE_CONTROLS.items():
            written = set(re.findall(rf"sysreg_write\(REG_{register}, (\w+)", self.world_c))
            if written != {host, vm}:
                raise ValueError(f"core/state/world.c writes {sorted(written)} to {register}, not {host}, {vm}")
            found[register] = (value[host], value[vm])
        return found

    def boot_controls(self):
        """Registers that arch/el2.c sets once, by encoding or by name; nobody else may write them."""
        for name, text in re.findall(r'\bmsr\("(\w+)",\s*([^;]*?)\);', self.el2_c):
            shift = re.fullmatch(r"(\d+)ULL << (\d+)", text)
            number = int(shift[1]) << int(shift[2]) if shift else int(text, 0) if re.fullmatch(r"\w*\d", text) else None
            if number is not None and name.upper() not in self.controls:
                self.controls[name.upper()] = (number, number)

    def enum_group(self):
        """Names in enum sysreg before REG_SWITCHED, those saved and loaded with the interrupt controller, and others
        that world.c reads into, and writes from, a context."""
        body = re.search(r"enum sysreg \{(.*?)REG_COUNT", self.read("core/sysreg.h"), re.S)[1]
        names = re.findall(r"\bREG_(\w+)(?: = \w+)?,", body)
        self.names = [n for n in names if n != "SWITCHED"]
        first = set(names[:names.index("SWITCHED")])
        for loop in ("save_host", "load_host", "save_vcpu", "load_vcpu"):
            if not re.search(r"r < REG_SWITCHED", self.function(loop)):
                raise ValueError(f"core/state/world.c: {loop} has no loop to REG_SWITCHED")
        ich = set()
        if all("CTX_ICH_COUNT" in self.function(f) for f in ("save_vcpu", "load_vcpu")):
            start = names.index("ICH_VMCR_EL2")
            ich = set(names[start:start + self.constant("CTX_ICH_COUNT")])
        return first | ich | self.written_at_entry(names)

    def written_at_entry(self, names):
        """Registers that world.c writes by name whenever a vCPU comes, and saves or sets when it goes."""
        enter = self.function("enter_vcpu") + self.function("load_vcpu") + self.function("controls_vcpu")
        leave = self.function("exit_vcpu") + self.function("save_vcpu") + self.function("controls_host")
        both = {n for n in names if f"sysreg_write(REG_{n}," in enter and
                (f"sysreg_write(REG_{n}," in leave or f"sysreg_read(REG_{n})" in leave)}
        # The same for both, by the CPU's one function of constants.
        both |= {n for n in names if f"sysreg_write(REG_{n}," in self.function("controls_both")}
        # List registers: written at entry from the checked record, which has all of them.
        return both | {n for n in names if n.startswith("ICH_LR") and "REG_ICH_LR0_EL2 + i" in enter}

    def function(self, name):
        found = re.search(rf"\n(?:static )?void {name}\(.*?\n}}\n", self.world_c, re.S)
        if not found:
            raise ValueError(f"core/state/world.c has no function {name}")
        return found[0]

    def constant(self, name):
        return int(re.search(rf"\b{name} = (\d+)", self.read("core/state.h"))[1])

    def refuses(self, register, encoding, low):
        """Is a CPU with a field other than 0 in bits low+3:low of `register` refused by arch/el2.c?"""
        if register == "ICH_VTR_EL2":
            return "(vtr >> 26 & 7) + 1 > 5" in self.el2_c
        names = f"(?:{encoding.lower()}|{register.lower()})"
        return re.search(rf'if \(field\(mrs\("{names}"\), {low}\) != 0\)\s+panic', self.el2_c) is not None

    def says(self, token):
        """Mechanisms that are code, not a field of a register."""
        if token == "FP":
            return self.fp_whole() and "fp_load(" in self.function("load_vcpu") and \
                "fp_zero();" in self.function("save_vcpu")
        if token == "PSTATE":
            return "SPSR_EL2" in self.switched
        if token == "GPR":
            loaded = set(re.findall(r"\b(x\d+)\b", self.vectors_s.split("resume:")[1].split("eret")[0]))
            return loaded == {f"x{n}" for n in range(31)}
        if token == "TLB":
            return "tlbi_vmid_local" in self.function("enter_vcpu") and "REG_VTTBR_EL2" in self.function("controls_vcpu")
        return False

    def fp_whole(self):
        """Do fp_save, fp_load and fp_zero of fp.S each treat FPCR and FPSR?"""
        for label, pattern in (("fp_save", r"mrs\tx\d+, fp{}"), ("fp_load", r"msr\tfp{}, x\d"), ("fp_zero", r"msr\tfp{}, xzr")):
            body = re.search(rf"\n{label}:(.*?)\n\tret", self.fp_s, re.S)
            if not body or not all(re.search(pattern.format(r), body[1]) for r in ("cr", "sr")):
                return False
        return True
