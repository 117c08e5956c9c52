#!/bin/sh
# Makes a C compiler available, which Go's race detector needs.
set -eu

has_cc() {
	for cc in "${CC:-}" cc gcc clang; do
		if [ -n "$cc" ] && command -v "$cc" >/dev/null 2>&1; then
			return 0
		fi
	done
	return 1
}

has_cc && exit 0
if command -v apt-get >/dev/null 2>&1; then
	sudo=
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	if [ -z "$sudo" ] || command -v sudo >/dev/null 2>&1; then
		echo "a C compiler is missing: installing gcc with apt-get" >&2
		$sudo apt-get update -qq >&2 || true
		$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends gcc libc6-dev >&2 || true
	fi
fi
has_cc && exit 0
echo "The tests run with Go's race detector, which needs a C compiler: install one" \
	"(Debian and Ubuntu: apt-get install gcc libc6-dev, Fedora: dnf install gcc, macOS: xcode-select --install) and run this again." >&2
exit 1
