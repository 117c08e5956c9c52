#!/bin/sh
# install-tool.sh FILE PACKAGE@VERSION builds a Go program into FILE, with the flags
# in TOOL_FLAGS.
set -eu

file=$1
package=$2
mkdir -p "$(dirname "$file")"
folder=$(mktemp -d "$(dirname "$file")/build-XXXXXX")
trap 'rm -rf "$folder"' EXIT
echo "building $package (once)" >&2
GOBIN=$(cd "$folder" && pwd) GOFLAGS="${TOOL_FLAGS:-}" CGO_ENABLED=0 go install "$package"
mv "$folder"/* "$file"
