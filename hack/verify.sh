#!/usr/bin/env bash
# Regenerates all that is generated, checks and lints, and fails when that changed a file of the checkout.
#
# The files are compared with what they were before, not with the last commit: work that is not committed yet is
# none of its business. In a fresh clone the two are the same.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Where the generators write. A log that grows elsewhere in the checkout meanwhile is nobody's fault.
generated=(api config)

step() { printf -- '-- %s\n' "$*"; }
fail() { printf 'verify: %s\n' "$*" >&2; exit 1; }

objects=$(git rev-parse --path-format=absolute --git-path objects) || fail "this is no git checkout, so changed files can't be told"

# with_scratch COMMAND...: a git command with an index and a store of its own, so that the checkout's are left alone.
with_scratch() {
  GIT_INDEX_FILE="$scratch/index" GIT_OBJECT_DIRECTORY="$scratch/objects" \
    GIT_ALTERNATE_OBJECT_DIRECTORIES="$objects" git "$@"
}

# snapshot: the id of a tree with every generated file and its neighbours, committed or not.
snapshot() {
  mkdir -p "$scratch/objects"
  with_scratch add --all -- "${generated[@]}" && with_scratch write-tree
}

unchanged() {
  local after; after=$(snapshot)
  [ "$after" = "$before" ] && return 0
  with_scratch --no-pager diff --stat "$before" "$after" >&2
  with_scratch --no-pager diff "$before" "$after" >&2
  fail "generated files were out of date and are rewritten now (the difference is above): commit them"
}

# tidy FOLDER: its go.mod and go.sum are what `go mod tidy` makes of them. hack/gatewaycrds has no Go code: it pins
# modules whose files the tests read, and tidying would drop them.
tidy() {
  [ "$1" != hack/gatewaycrds ] || return 0
  (cd "$1" && go mod tidy -diff) || fail "$1/go.mod is not tidy: run 'go mod tidy' in $1"
}

# small: a file over 1 MiB is a binary that was added by accident.
small() {
  local files; files=$(git ls-files -z | xargs -0 -I{} find {} -maxdepth 0 -type f -size +1048576c)
  [ -z "$files" ] || fail "larger than 1 MiB: $files"
}

formatted() {
  local files; files=$(gofmt -l .)
  [ -z "$files" ] || fail "not formatted, run gofmt -w on: $files"
}

before=$(snapshot)

step "generate, manifests"
make generate manifests
unchanged

step "go mod tidy"
git ls-files -- go.mod '*/go.mod' | while IFS= read -r file; do tidy "$(dirname "$file")"; done

step "file sizes"
small

step "gofmt"
formatted

step "go vet"
go vet ./...

step "golangci-lint (built first where it is not cached: minutes)"
make lint

step "prose"
hack/prose.sh
