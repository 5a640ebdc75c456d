#!/usr/bin/env bash
# fetch.sh [--if-fetched]: fetches axe-core with npm and prints the path of its script. With --if-fetched it fetches
# nothing, and prints nothing if the script is not there yet.
#
# The script is outside the checkout, in a folder named after the lock file, which pins the version and its hash.
set -euo pipefail
cd "$(dirname "$0")"

# git, which every checkout has, serves as the hash.
pins=$(cat package.json package-lock.json fetch.sh | git hash-object --stdin | cut -c1-8)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/keywright/axe/$pins"
script="$folder/node_modules/axe-core/axe.min.js"

if [ -f "$script" ]; then
  echo "$script"
  exit 0
fi
[ "${1:-}" != --if-fetched ] || exit 0

mkdir -p "$folder"
# Of two runs at once the second one waits for the first.
if command -v flock >/dev/null; then
  exec 9>"$folder/.lock"
  flock 9
fi
if [ ! -f "$script" ]; then
  cp package.json package-lock.json "$folder"
  npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund >&2
fi
echo "$script"
