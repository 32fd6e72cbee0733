# SPDX-License-Identifier: Apache-2.0
# Sourced by tools/setup and ./nie doctor: tools/packages, which says what its columns are.
# shellcheck shell=bash

SETS=(run test prove)
ASIDE='^[^0-9]*$' # lines of a --version without a number

# $1: a file of packages; the rest: names of sets. Prints the lines `PACKAGE[@SUITE] PROBE VERSION PURPOSE`
# that belong to one of them, each once. Status 2 when there is no such set.
packages_of() {
	local file=$1 set sets package rest
	shift
	for set in "$@"; do
		case " ${SETS[*]} " in *" $set "*) ;; *) return 2 ;; esac
	done
	while read -r sets package rest; do
		for set in "$@"; do
			case ",$sets," in *",$set,"*) echo "$package $rest"; break ;; esac
		done
	done < <(sed '/^#/d; /^$/d' "$file")
}

# $1: a probe; $2: the version wanted. Prints what was found; status 0: as wanted, 1: another version, 2: missing.
probe() {
	local found
	case $1 in
	/*)
		found=$(compgen -G "$1" | sed -n 1p)
		[ -n "$found" ] || return 2 ;;
	*)
		command -v "$1" >/dev/null || return 2
		found=$("$1" --version 2>&1 </dev/null | grep -v -m1 "$ASIDE") || true ;;
	esac
	echo "$found"
	[ "$2" = - ] || grep -qE -- "$2" <<<"$found"
}
