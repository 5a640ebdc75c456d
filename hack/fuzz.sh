#!/usr/bin/env bash
# Runs each fuzz target for a time, because `go test -fuzz` takes one target of one package: fuzz.sh 10s
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz PACKAGE TARGET TIME: before Go 1.27 the end of the time can look like a failure (go.dev/issue/75804). That
# failure is ignored if it is the only one: an input that fails is always written to a file.
fuzz() {
  go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" "$1" 2>&1 | tee "$log" && return 0
  ! grep -q 'Failing input written' "$log" && grep -qx ' *context deadline exceeded' "$log" || return 1
  echo "(time is up; no input failed)"
}

for package in $(hack/packages_with.sh Fuzz); do
  # A separate assignment, so that a package that does not compile ends the script.
  listed=$(go test -list '^Fuzz' "$package")
  for target in $(grep '^Fuzz' <<<"$listed"); do
    echo "$package $target"
    fuzz "$package" "$target" "$1"
  done
done
