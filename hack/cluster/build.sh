#!/usr/bin/env bash
# Builds the programs of the cluster from their Go modules and prints the folders that hold them, in the form of PATH.
#
# The binaries are outside the checkout, in one folder for each module, named after its version pins: another checkout
# or a clean tree builds nothing. The first build takes about twelve minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")"

gobuild=$PWD/../gobuild.sh
cache="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/cluster"
platform="$(go env GOOS)-$(go env GOARCH)"
# Of two builds at once the second one waits for the first.
mkdir -p "$cache"
if command -v flock >/dev/null; then
  exec 9>"$cache/.lock"
  flock 9
fi

# pinned MODULE REQUIREMENT: the version of REQUIREMENT in the go.mod of the folder MODULE.
pinned() { awk -v name="$2" '{sub(/^require /, "")} $1 == name && $2 ~ /^v/ {print $2; exit}' "$1/go.mod"; }

# folder MODULE REQUIREMENT: where the binaries of the folder MODULE are. git, which every checkout has, is the hash.
folder() {
  local pins; pins=$(cat "$1"/* build.sh | git hash-object --stdin | cut -c1-8)
  echo "$cache/$1-$(pinned "$1" "$2")-$platform-$pins"
}

# build MODULE OUTPUT PACKAGE [FLAG...]
build() { [ -x "$2" ] || (cd "$1" && "$gobuild" "$2" "${@:3}" -trimpath); }

kubernetes=$(folder kubernetes k8s.io/kubernetes)
version=$(pinned kubernetes k8s.io/kubernetes)
minor=${version#v1.}; minor=${minor%%.*}
# Without a version the kubelet is not accepted by the API server's clients. -s -w drops symbol tables.
stamp="-s -w -X k8s.io/component-base/version.gitVersion=$version"
stamp="$stamp -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor"
export CGO_ENABLED=0
for program in kubelet kube-controller-manager kube-scheduler kube-proxy; do
  build kubernetes "$kubernetes/$program" "k8s.io/kubernetes/cmd/$program" -ldflags "$stamp"
done

containers=$(folder containers github.com/containerd/containerd/v2)
for program in containerd containerd-shim-runc-v2 ctr; do
  build containers "$containers/$program" "github.com/containerd/containerd/v2/cmd/$program" \
    -tags 'no_btrfs no_devmapper' -ldflags '-s -w'
done
# runc starts in C, and filters system calls with libseccomp: Pod Security "restricted" asks for that.
CGO_ENABLED=1 build containers "$containers/runc" github.com/opencontainers/runc -tags seccomp -ldflags '-s -w'

coredns=$(folder coredns github.com/coredns/coredns)
build coredns "$coredns/coredns" . -ldflags '-s -w'

echo "$kubernetes:$containers:$coredns"
