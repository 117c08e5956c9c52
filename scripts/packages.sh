# shellcheck shell=sh
# packages.sh is sourced by the scripts that make a program available: it installs what
# the machine's package managers have. Each function fails where that cannot be done.

# as_root runs a command as root where that needs no password, or asks for it
# where somebody is there to give it.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
		sudo "$@"
	else
		return 1
	fi
}

# from_apt WHAT PACKAGE... installs packages of Debian or Ubuntu.
from_apt() {
	command -v apt-get >/dev/null 2>&1 || return 1
	echo "$1 is missing: installing it with apt-get" >&2
	shift
	as_root apt-get update -qq >&2 || true # what it knows may do
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

# from_brew WHAT ARGUMENT... installs what Homebrew has.
from_brew() {
	command -v brew >/dev/null 2>&1 || return 1
	echo "$1 is missing: installing it with brew" >&2
	shift
	brew install --quiet "$@" >&2
}
