#!/usr/bin/env bash
# Builds etcd, kube-apiserver and kubectl from their Go modules and prints the folder that holds them.
#
# The binaries live outside the checkout, in a folder keyed by this module's version pins, so a second
# checkout or a clean tree builds nothing. KUBEBUILDER_ASSETS set = that folder is printed, nothing built.
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
pins=$(cat go.mod go.sum build.sh | sha256sum | cut -c1-8)
assets="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/controlplane/$version-$(go env GOOS)-$(go env GOARCH)-$pins"

minor=${version#v1.}; minor=${minor%%.*}
stamp="-X k8s.io/component-base/version.gitVersion=$version"
stamp="$stamp -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor"
# The linker drops symbol tables: the three binaries are a third smaller and link faster.
stamp="-s -w $stamp"

export CGO_ENABLED=0 GOFLAGS=-buildvcs=false

# build NAME PACKAGE: compiles one binary, telling how far it is. The name appears in the cache only when whole.
build() {
  local name=$1 package=$2 begun=$SECONDS total log status=0
  [ -x "$assets/$name" ] && return 0
  mkdir -p "$assets"
  total=$(go list -deps "$package" | wc -l)
  log=$(mktemp)
  say "building $name ($package $version, $total packages; minutes the first time, seconds from the build cache)"
  { go build -v -ldflags "$stamp" -o "$assets/.$name.$$" "$package" 2>&1 || echo "build failed"; } | tee "$log" | progress "$name" "$total" "$begun"
  grep -q '^build failed$' "$log" && status=1
  if [ "$status" -ne 0 ]; then
    say "building $name failed:"; grep -v '^[a-z0-9./_-]*$' "$log" | tail -n 20 >&2; rm -f "$log"; exit 1
  fi
  rm -f "$log"
  mv "$assets/.$name.$$" "$assets/$name"
  say "built $name in $((SECONDS - begun)) s"
}

# progress NAME TOTAL BEGUN: reads compiled package names, writes a line every 15 s (every second on a terminal).
progress() {
  local name=$1 total=$2 begun=$3 count=0 shown=$SECONDS every=15 line
  [ -t 2 ] && every=1
  while IFS= read -r line; do
    count=$((count + 1))
    if [ $((SECONDS - shown)) -ge "$every" ]; then
      shown=$SECONDS
      say "  $name: $count packages compiled (of at most $total), $((SECONDS - begun)) s"
    fi
  done
}

mkdir -p "$assets"
# Two builds at once (a test run beside a demo) would do the same work twice: the second waits for the first.
exec 9>"$assets/.lock"
flock 9
build etcd go.etcd.io/etcd/server/v3
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
build kubectl k8s.io/kubernetes/cmd/kubectl
echo "$assets"
