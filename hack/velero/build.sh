#!/usr/bin/env bash
# Builds Velero from its Go module, with the object store plugin of this folder, and prints the folder that holds
# velero and plugins/velero-folder.
#
# The binaries are outside the checkout, in a folder named after this module's version pins. The first build takes
# more than eight minutes on two cores; only `make test-velero` uses it.
set -euo pipefail
cd "$(dirname "$0")"

version=$(awk '$1 == "github.com/vmware-tanzu/velero" {print $2; exit}' go.mod)
# git, which every checkout has, serves as the hash.
pins=$(cat go.mod go.sum ./*.go build.sh | git hash-object --stdin | cut -c1-8)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/velero/$version-$(go env GOOS)-$(go env GOARCH)-$pins"

mkdir -p "$folder"
# Of two builds at once the second one waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$folder/.lock"
  flock 9
fi
export CGO_ENABLED=0
[ -x "$folder/velero" ] || ../gobuild.sh "$folder/velero" github.com/vmware-tanzu/velero/cmd/velero -trimpath \
  -ldflags "-s -w -X github.com/vmware-tanzu/velero/pkg/buildinfo.Version=$version"
[ -x "$folder/plugins/velero-folder" ] || ../gobuild.sh "$folder/plugins/velero-folder" . -trimpath -ldflags '-s -w'
echo "$folder"
