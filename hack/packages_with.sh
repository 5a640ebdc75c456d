#!/usr/bin/env bash
# Prints the packages whose tests have a function of a kind: packages_with.sh Benchmark|Fuzz
set -euo pipefail
cd "$(dirname "$0")/.."

{ grep -rl --include='*_test.go' "^func $1[A-Z]" . || true; } | while IFS= read -r file; do
  dirname "$file"
done | sort -u
