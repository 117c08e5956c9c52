#!/bin/sh
# Makes Chromium available for the tests of the console: Chromium or Chrome that is there,
# else from apt-get or Homebrew. Prints nothing where it is there already. Where it cannot
# be had the tests are skipped; with CI or REQUIRE_CHROMIUM set that is a failure.
set -eu

. "$(dirname "$0")/packages.sh"

works() {
	for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome google-chrome-stable "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" /Applications/Chromium.app/Contents/MacOS/Chromium; do
		if "$name" --version >/dev/null 2>&1; then return 0; fi
	done
	return 1
}

if works || { from_apt Chromium chromium && works; } || { from_brew Chromium --cask chromium && works; }; then
	exit 0
fi
echo "The tests of the console need Chromium or Chrome, and it could not be installed here: install it by hand" \
	"(Debian: apt-get install chromium, Fedora: dnf install chromium, macOS: brew install --cask chromium)" \
	"or name its program in CHROMIUM. Without it these tests are SKIPPED." >&2
if [ -n "${REQUIRE_CHROMIUM:-${CI:-}}" ]; then
	exit 1
fi
