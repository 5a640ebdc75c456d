#!/usr/bin/env bash
# build.sh [--if-built]: builds Traefik from its Go module and prints the path of the binary. With --if-built it
# builds nothing, and prints nothing if there is no binary yet.
#
# The binary is outside the checkout, in a folder named after this module's version pins. The first build takes about
# six minutes on two cores; only the tests of docs/gateways.md use it.
set -euo pipefail
cd "$(dirname "$0")"

version=$(awk '$1 == "github.com/traefik/traefik/v3" {print $2; exit}' go.mod)
# git, which every checkout has, serves as the hash.
pins=$(cat go.mod go.sum build.sh | git hash-object --stdin | cut -c1-8)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/traefik/$version-$(go env GOOS)-$(go env GOARCH)-$pins"

if [ -x "$folder/traefik" ]; then
  echo "$folder/traefik"
  exit 0
fi
[ "${1:-}" != --if-built ] || exit 0

mkdir -p "$folder"
# Of two builds at once the second one waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$folder/.lock"
  flock 9
fi
[ -x "$folder/traefik" ] ||
  CGO_ENABLED=0 ../gobuild.sh "$folder/traefik" github.com/traefik/traefik/v3/cmd/traefik -trimpath -ldflags '-s -w'
echo "$folder/traefik"
