#!/usr/bin/env bash
# images.sh hack/cluster/run.sh [-name NAME]: loads the images of the suite's workload into the node: the caller, and
# Debian's nginx and PostgreSQL with the libraries that they need.
set -euo pipefail
cd "$(dirname "$0")/../.."

cluster=("$@")
postgres=$(find /usr/lib/postgresql -path '*/bin/postgres' | sort -V | tail -n 1)
[ -n "$postgres" ] || { echo "images: no PostgreSQL in /usr/lib/postgresql" >&2; exit 1; }
programs=${postgres%/bin/postgres}
version=${programs##*/}

# image NAME FILE...
image() {
  "${cluster[@]}" image "keywright.dev/$1:cluster" "bin/cluster/$1.tar" "${@:2}"
  "${cluster[@]}" load "bin/cluster/$1.tar"
}

CGO_ENABLED=0 go build -trimpath -o bin/cluster/ ./test/cluster/caller
image caller bin/cluster/caller=/caller
image nginx /usr/sbin/nginx
image postgres /bin/sh "$programs/bin/postgres" "$programs/bin/initdb" "$programs/lib/plpgsql.so" \
  "$programs/lib/dict_snowball.so" "/usr/share/postgresql/$version"
