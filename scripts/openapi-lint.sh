#!/bin/sh
# openapi-lint.sh FOLDER VERSION FILE lints an OpenAPI document with Redocly CLI,
# which is kept in FOLDER. Where npm or its registry cannot be had it says so and
# passes; any other failure fails.
set -eu

folder=$1
version=$2
file=$3
lint=$folder/node_modules/.bin/redocly

if [ ! -x "$lint" ]; then
	if ! command -v npm >/dev/null 2>&1; then
		echo "openapi-lint: SKIPPED, npm is not installed here"
		exit 0
	fi
	mkdir -p "$folder"
	if ! out=$(npm install --no-audit --no-fund --ignore-scripts --prefix "$folder" "@redocly/cli@$version" 2>&1); then
		echo "openapi-lint: SKIPPED, @redocly/cli $version cannot be had from the npm registry from here"
		printf '%s\n' "$out" >&2
		exit 0
	fi
fi
if out=$(REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true "$lint" lint --format=stylish "$file" 2>&1); then
	echo "openapi-lint: $file has no errors"
	exit 0
fi
printf '%s\n' "$out"
exit 1
