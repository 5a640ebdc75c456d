#!/usr/bin/env bash
# Builds promtool from its Go module and prints the path of the binary. It tests the alerts of config/monitoring.
#
# The binary is outside the checkout, in a folder named after this module's version pins. The first build takes some
# minutes on two cores; test/alerts uses it.
set -euo pipefail
cd "$(dirname "$0")"

version=$(awk '$1 == "github.com/prometheus/prometheus" {print $2; exit}' go.mod)
# git, which every checkout has, serves as the hash.
pins=$(cat go.mod go.sum build.sh | git hash-object --stdin | cut -c1-8)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/promtool/$version-$(go env GOOS)-$(go env GOARCH)-$pins"

mkdir -p "$folder"
# Of two builds at once the second one waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$folder/.lock"
  flock 9
fi
# Without the clients of clouds, which are most of it and have nothing to do with rules.
[ -x "$folder/promtool" ] || CGO_ENABLED=0 ../gobuild.sh "$folder/promtool" \
  github.com/prometheus/prometheus/cmd/promtool -trimpath -tags=remove_all_sd
echo "$folder/promtool"
