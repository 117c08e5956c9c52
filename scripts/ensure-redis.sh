#!/bin/sh
# Makes redis-server, with redis-cli, available for the tests: from the PATH, else from apt-get,
# Homebrew or a Docker image (unpacked into bin/). Prints nothing where it is
# there already.
set -eu

. "$(dirname "$0")/packages.sh"

works() { redis-server --version >/dev/null 2>&1 && redis-cli --version >/dev/null 2>&1; }

# from_docker takes the program and its libraries out of the Alpine image and
# runs them with that image's own loader, which works on any Linux.
from_docker() {
	[ "$(uname -s)" = Linux ] || return 1
	docker info >/dev/null 2>&1 || return 1
	echo "redis-server is missing: taking it from the image redis:7-alpine" >&2
	root=$(cd "$(dirname "$0")/.." && pwd)
	lib=$root/bin/redis
	rm -rf "$lib" && mkdir -p "$lib"
	container=$(docker create redis:7-alpine) || return 1
	docker export "$container" | tar -x -C "$lib" usr/local/bin/redis-server usr/local/bin/redis-cli lib usr/lib || { docker rm "$container" >/dev/null; return 1; }
	docker rm "$container" >/dev/null
	for program in redis-server redis-cli; do
		cat >"$root/bin/$program" <<WRAPPER
#!/bin/sh
exec "$lib"/lib/ld-musl-*.so.1 --library-path "$lib/lib:$lib/usr/lib" "$lib/usr/local/bin/$program" "\$@"
WRAPPER
		chmod +x "$root/bin/$program"
	done
	PATH=$root/bin:$PATH
	export PATH
}

if works || { from_apt redis-server redis-server && works; } || { from_brew redis-server redis && works; } || { from_docker && works; }; then
	exit 0
fi
echo "The tests need redis-server (version 6.2 or newer) and redis-cli, and they could not be installed here: install them by hand" \
	"(Debian and Ubuntu: apt-get install redis-server, Fedora: dnf install redis, macOS: brew install redis) and run this again." >&2
exit 1
