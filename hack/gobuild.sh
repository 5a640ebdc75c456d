#!/usr/bin/env bash
# gobuild.sh OUTPUT PACKAGE [FLAG...]: go build with progress and duration on stderr. OUTPUT appears only when it is
# complete. Run it in the folder of PACKAGE's module.
set -euo pipefail

output=$1 package=$2
shift 2
name=${output##*/}
say() { printf '%s\n' "$*" >&2; }

# progress reads the output of go build -v. It counts the compiled packages, with a line every 15 s at most (every
# second on a terminal), and passes errors on.
progress() {
  local count=0 shown=$SECONDS every=15 line
  [ -t 2 ] && every=1
  while IFS= read -r line; do
    case $line in
      *[!A-Za-z0-9._/~+-]*) say "$line"; continue ;;
    esac
    count=$((count + 1))
    if [ $((SECONDS - shown)) -ge "$every" ]; then
      shown=$SECONDS
      say "  $name: $count packages compiled (of at most $total), $SECONDS s"
    fi
  done
}

total=$(go list -deps "$package" | wc -l | tr -d ' ')
say "building $name ($total packages; longer the first time, seconds from the build cache)"
mkdir -p "$(dirname "$output")"
part="$(dirname "$output")/.$name.$$"
trap 'rm -f "$part"' EXIT
# Without version stamps of git: a checkout that git does not trust would fail to build.
go build -v -buildvcs=false "$@" -o "$part" "$package" 2>&1 | progress
mv "$part" "$output"
say "built $name in $SECONDS s"
