#!/bin/sh
# fuzz.sh TIME [PACKAGE...] runs every fuzz target of the packages (default: the module) for
# TIME each. Go fuzzes one target at a time.
#
# A finding, that is an input on which a target failed, ends the run with status 1, after all
# other targets have run. Go's fuzzer at times ends a target itself when TIME is over, with
# "context deadline exceeded" and no input (golang/go#75804). That is no finding: the target
# runs once more, and the summary counts it if it ends the same way again.
set -u

time=$1
shift
[ $# -gt 0 ] || set -- ./...

out=$(mktemp)
trap 'rm -f "$out"' EXIT

# fuzz PACKAGE TARGET sets verdict to passed, finding, toolchain or failed.
fuzz() {
	if go test -run '^$' -fuzz "^$2\$" -fuzztime "$time" "$1" >"$out" 2>&1; then
		verdict=passed
	elif grep -q 'Failing input written to' "$out"; then
		verdict=finding
	elif grep -q 'context deadline exceeded' "$out"; then
		verdict=toolchain
	else
		verdict=failed
	fi
	cat "$out"
}

targets=0 passed=0 toolchain=0 bad=''
packages=$(go list "$@") || exit 1
for package in $packages; do
	listed=$(go test -list '^Fuzz' "$package") || { echo "$listed"; bad="$bad $package"; continue; }
	for target in $(echo "$listed" | grep '^Fuzz'); do
		echo "== $package $target"
		targets=$((targets + 1))
		fuzz "$package" "$target"
		[ $verdict != toolchain ] || fuzz "$package" "$target"
		case $verdict in
		passed) passed=$((passed + 1)) ;;
		toolchain) toolchain=$((toolchain + 1)) ;;
		*) bad="$bad $target" ;;
		esac
	done
done

echo "== $targets targets: $passed passed, $toolchain ended by Go itself without a finding"
[ -z "$bad" ] || { echo "== failed:$bad"; exit 1; }
[ $targets -gt 0 ] || { echo "== no fuzz target found"; exit 1; }
