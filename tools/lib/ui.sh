# SPDX-License-Identifier: Apache-2.0
# Sourced by the bash tools: the root of the tree, help from the header, errors, progress.
# shellcheck shell=bash

# The name in messages, and the tree's root; every path of the tools is relative to the latter.
NAME=$(basename "$0")
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/build

# Prints the calling script's header comment, which is its help.
help_from_header() { sed -nE '1d; /^# SPDX/d; /^#/!q; s/^# ?//p' "$0"; }

# Ends with one clear line. $1: message; $2: exit status, 1 if absent.
die() { end_progress; echo "$NAME: $1" >&2; exit "${2:-1}"; }

# Ends with status 0 after the help when one of the arguments asks for it.
maybe_help() {
	local a
	for a in "$@"; do case $a in --help | -h) help_from_header; exit 0 ;; esac; done
}

# One line that is rewritten on a terminal; on anything else one line a step.
PROGRESS_OPEN=
progress() {
	if [ -t 2 ]; then printf '\r\033[K%s: %s' "$NAME" "$1" >&2; PROGRESS_OPEN=yes
	else echo "$NAME: $1" >&2; fi
}
end_progress() { [ -z "$PROGRESS_OPEN" ] || printf '\r\033[K' >&2; PROGRESS_OPEN=; }

# Runs $3... with its output in the log $2 under the progress line $1; shows the log's end on failure.
step() {
	local what=$1 log=$2
	shift 2
	progress "$what"
	mkdir -p "$(dirname "$log")"
	"$@" >"$log" 2>&1 && return 0
	end_progress
	tail -n 30 "$log" >&2
	die "$what: failed; the whole log is ${log#"$ROOT"/}"
}
