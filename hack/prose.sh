#!/usr/bin/env bash
# prose.sh [PATH...]: lists phrases that docs/contributing.md asks to avoid and lines of Go that are too long. Without a
# path it checks the whole checkout.
set -euo pipefail
cd "$(dirname "$0")/.."
exec go run ./hack/prose "$@"
