#!/bin/sh
# Makes Chromium available for the tests of the console: Chromium or Chrome that is there,
# else from apt-get or Homebrew. Prints nothing where it is there already. Where it cannot
# be had the tests are skipped; with CI or REQUIRE_CHROMIUM set that is a failure.
set -eu

works() {
	for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome google-chrome-stable "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" /Applications/Chromium.app/Contents/MacOS/Chromium; do
		if "$name" --version >/dev/null 2>&1; then return 0; fi
	done
	return 1
}

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

from_apt() {
	command -v apt-get >/dev/null 2>&1 || return 1
	echo "Chromium is missing: installing it with apt-get" >&2
	as_root apt-get update -qq >&2 || return 1
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
}

from_brew() {
	command -v brew >/dev/null 2>&1 || return 1
	echo "Chromium is missing: installing it with brew" >&2
	brew install --quiet --cask chromium >&2
}

if works || { from_apt && works; } || { from_brew && works; }; then
	exit 0
fi
echo "The tests of the console need Chromium or Chrome, and it could not be installed here: install it by hand" \
	"(Debian: apt-get install chromium, Fedora: dnf install chromium, macOS: brew install --cask chromium)" \
	"or name its program in CHROMIUM. Without it these tests are SKIPPED." >&2
if [ -n "${REQUIRE_CHROMIUM:-${CI:-}}" ]; then
	exit 1
fi
