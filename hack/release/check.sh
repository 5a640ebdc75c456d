#!/usr/bin/env bash
# check.sh VERSION PLATFORMS PROGRAMS: builds a release of HEAD twice, in two folders, and compares every file. Both builds
# take what Go's build cache has; with FRESH=yes the second has an empty one, and compiles everything.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$1 platforms=$2 programs=$3

scratch=$(mktemp -d)
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

for name in first second; do
  mkdir -p "$scratch/$name"
  git archive HEAD | tar -x -C "$scratch/$name"
  (
    cd "$scratch/$name"
    [ "$name ${FRESH:-}" != 'second yes' ] || export GOCACHE="$scratch/$name-cache"
    go run ./hack/release build -version "$version" -out out -platforms "$platforms" -programs "$programs"
    go run ./hack/release chart -version "$version" -out out
    go run ./hack/release sums -version "$version" -out out
  )
done
diff -r "$scratch/first/out" "$scratch/second/out"
cat "$scratch/first/out/SHA256SUMS"
echo "two builds are equal, byte for byte"
