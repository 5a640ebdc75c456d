#!/usr/bin/env bash
# Builds etcd, kube-apiserver and kubectl from their Go modules and prints the folder that holds them.
#
# The binaries are outside the checkout, in a folder named after this module's version pins, so another checkout or a
# clean tree builds nothing. With KUBEBUILDER_ASSETS set, the script prints that folder and builds nothing.
set -euo pipefail
cd "$(dirname "$0")"

say() { printf '%s\n' "$*" >&2; }

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
  for binary in etcd kube-apiserver kubectl; do
    [ -x "$KUBEBUILDER_ASSETS/$binary" ] || { say "KUBEBUILDER_ASSETS is set to $KUBEBUILDER_ASSETS, which has no executable $binary"; exit 1; }
  done
  echo "$KUBEBUILDER_ASSETS"
  exit 0
fi

version=$(awk '$1 == "k8s.io/kubernetes" && $2 ~ /^v/ {print $2; exit}' go.mod)
# git, which every checkout has, serves as the hash.
pins=$(cat go.mod go.sum build.sh | git hash-object --stdin | cut -c1-8)
assets="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/controlplane/$version-$(go env GOOS)-$(go env GOARCH)-$pins"

minor=${version#v1.}; minor=${minor%%.*}
# Clients cannot parse the API server's version unless it is stamped. -s -w drops symbol tables: the three binaries
# are a third smaller and link faster.
stamp="-s -w -X k8s.io/component-base/version.gitVersion=$version"
stamp="$stamp -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor"
export CGO_ENABLED=0

build() { [ -x "$assets/$1" ] || ../gobuild.sh "$assets/$1" "$2" -ldflags "$stamp"; }

mkdir -p "$assets"
# Of two builds at once (a test run beside a demo), the second one waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$assets/.lock"
  flock 9
fi
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kubectl k8s.io/kubernetes/cmd/kubectl
echo "$assets"
