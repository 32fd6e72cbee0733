# SPDX-License-Identifier: Apache-2.0
# Sourced by what starts QEMU: the emulated machine, in one place.
# shellcheck shell=bash

# Defaults; a tool's options change them. MEMORY is in MiB.
CPUS=4
MEMORY=1024
CPU=max

# Prints the arguments that make the machine, one a line. The engine needs EL2 and a GICv3; a fixed tree
# and no network keep runs alike.
machine_args() {
	local thread=single
	# A CPU that spins while the lock's holder waits for a real one wastes whole time slices: without
	# enough of them, QEMU takes turns itself.
	[ "$(nproc)" -lt "$CPUS" ] || thread=multi
	printf '%s\n' -accel tcg,thread=$thread -M virt,virtualization=on,gic-version=3,dtb-randomness=off \
		-cpu "$CPU" -smp "$CPUS" -m "${MEMORY}M" -display none -nic none
}

# Writes the machine's own device tree to $1.
machine_tree() {
	local args
	mapfile -t args < <(machine_args)
	qemu-system-aarch64 "${args[@]}" -machine "dumpdtb=$1" >/dev/null 2>"$1.log" ||
		die "QEMU makes no such machine: $(tail -n1 "$1.log")"
}

# Ends with an error unless the numbers can be a machine that the engine takes.
check_machine() {
	[[ $CPUS =~ ^[1-8]$ ]] || die "--cpus takes 1 to 8, not '$CPUS'" 2
	[[ $MEMORY =~ ^[0-9]{1,5}$ ]] && [ "$MEMORY" -ge 512 ] && [ "$MEMORY" -le 8192 ] &&
		[ $((MEMORY % 2)) -eq 0 ] || die "--memory takes an even number of MiB, 512 to 8192, not '$MEMORY'" 2
	[[ $CPU =~ ^[a-z0-9,=.-]+$ ]] || die "--cpu takes a name of QEMU's, not '$CPU'" 2
}
