#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Cross-build nie.ko and nie_attack.ko for the kernel of build/kernel/headers, and their test program.
# usage: host/linux/build.sh [OUT]     OUT: build/host/linux
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
out=${1:-$root/build/host/linux}
headers=$root/build/kernel/headers
[ -e "$headers/Makefile" ] || { echo "build.sh: no $headers; run tools/fetch-arm64 headers" >&2; exit 1; }

# The kernel's build writes beside the sources: it gets a copy. Times are kept, so that only what changed is built.
mkdir -p "$out/attack" "$out/abi"
# Two at once would write the same files.
exec 9>"$out/.lock"
flock 9
cp -p "$root"/host/linux/*.[ch] "$root/host/linux/Kbuild" "$out/"
cp -p "$root"/host/linux/attack/*.[ch] "$root/host/linux/attack/Kbuild" "$out/attack/"
cp -p "$root/abi/nie.h" "$out/abi/"
log=$out/build.log
if ! make -j2 -C "$headers" M="$out" ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \
	CONFIG_DEBUG_INFO_BTF_MODULES= modules >"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
grep -E 'warning:' "$log" >&2 && exit 1
aarch64-linux-gnu-gcc -std=gnu11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -static -pthread \
	-o "$out/module-test" "$root"/test/module/*.[cS]
ls "$out/module-test" "$out/nie.ko" "$out/attack/nie_attack.ko"
