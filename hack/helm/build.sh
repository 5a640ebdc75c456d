#!/usr/bin/env bash
# Builds helm from its Go module and prints the path of the binary.
#
# The binary is outside the checkout, in a folder named after this module's version pins. The first build takes some
# minutes on two cores; the tests of the chart use it.
set -euo pipefail
cd "$(dirname "$0")"

version=$(awk '$1 == "helm.sh/helm/v4" {print $2; exit}' go.mod)
# git, which every checkout has, serves as the hash.
pins=$(cat go.mod go.sum build.sh | git hash-object --stdin | cut -c1-8)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/helm/$version-$(go env GOOS)-$(go env GOARCH)-$pins"

mkdir -p "$folder"
# Of two builds at once the second one waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$folder/.lock"
  flock 9
fi
[ -x "$folder/helm" ] || CGO_ENABLED=0 ../gobuild.sh "$folder/helm" helm.sh/helm/v4/cmd/helm -trimpath
echo "$folder/helm"
