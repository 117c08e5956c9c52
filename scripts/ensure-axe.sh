#!/bin/sh
# ensure-axe.sh FOLDER VERSION gets axe-core, which looks for faults of accessibility, into
# FOLDER. Prints nothing where it is there already. Where npm or its registry cannot be had
# it says so and passes: that part of the console's tests is skipped then. With CI or
# REQUIRE_CHROMIUM set it has to be had where there is npm.
set -eu

folder=$1
version=$2

if [ -s "$folder/node_modules/axe-core/axe.min.js" ]; then
	exit 0
fi
if ! command -v npm >/dev/null 2>&1; then
	echo "axe-core: SKIPPED, npm is not installed here" >&2
	exit 0
fi
mkdir -p "$folder"
if ! out=$(npm install --no-audit --no-fund --ignore-scripts --prefix "$folder" "axe-core@$version" 2>&1); then
	echo "axe-core: SKIPPED, axe-core $version cannot be had from the npm registry from here" >&2
	printf '%s\n' "$out" >&2
	if [ -n "${REQUIRE_CHROMIUM:-${CI:-}}" ]; then
		exit 1
	fi
fi
