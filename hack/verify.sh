#!/usr/bin/env bash
# Regenerates everything that is generated, checks and lints, and fails if that changes a file of the checkout.
#
# Files are compared with their state before, not with the last commit: uncommitted work is left alone. In a fresh
# clone the two are the same.
set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Where the generators write. Files that change elsewhere meanwhile do not matter.
generated=(api charts config docs)

step() { printf -- '-- %s\n' "$*"; }
fail() { printf 'verify: %s\n' "$*" >&2; exit 1; }

objects=$(git rev-parse --path-format=absolute --git-path objects) || fail "not a git checkout, so changed files cannot be found"

# with_scratch COMMAND...: a git command with its own index and object store, so that those of the checkout stay as
# they are.
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

# tidy FOLDER: go.mod and go.sum are the output of `go mod tidy`. hack/gatewaycrds has no Go code: it pins modules
# whose files the tests read, and tidying would drop them.
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

step "generate, manifests, dashboard, chart, cli-docs"
make generate manifests dashboard cli-docs
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

step "krew manifest"
go -C hack/krew vet . && go -C hack/krew run . -check

step "images"
go -C hack/images vet . && go -C hack/images test .

step "prose"
hack/prose.sh
