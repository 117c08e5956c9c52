#!/bin/sh
# Makes a C compiler available, which Go's race detector needs.
set -eu

. "$(dirname "$0")/packages.sh"

has_cc() {
	for cc in "${CC:-}" cc gcc clang; do
		if [ -n "$cc" ] && command -v "$cc" >/dev/null 2>&1; then
			return 0
		fi
	done
	return 1
}

if has_cc || { from_apt "a C compiler" gcc libc6-dev && has_cc; }; then
	exit 0
fi
echo "The tests run with Go's race detector, which needs a C compiler: install one" \
	"(Debian and Ubuntu: apt-get install gcc libc6-dev, Fedora: dnf install gcc, macOS: xcode-select --install) and run this again." >&2
exit 1
