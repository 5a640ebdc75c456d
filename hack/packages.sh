#!/usr/bin/env bash
# Makes sure that the programs are there which the tests run beside Keywright: nginx, caddy, git, curl, PostgreSQL and
# Traefik.
#
# Root on Debian or its kin: what is missing is installed, and not started. Anybody else is told in one line what is
# missing, and the suites leave that part out. With CI set it is a failure: nothing may be left out there. Traefik is no
# package and takes minutes to build, so it is built in CI alone.
set -euo pipefail
cd "$(dirname "$0")/.."

# nginx is where PATH does not lead everybody.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
policy=/usr/sbin/policy-rc.d
aside=$policy.before-keywright
# What Debian's installation of PostgreSQL reads.
clusters=/etc/postgresql-common/createcluster.d

say() { printf '%s\n' "$*" >&2; }

# missing: the packages whose programs are not there. All but PostgreSQL's have the same names.
missing() {
  local program list=
  for program in nginx caddy git curl; do
    command -v "$program" >/dev/null || list="$list $program"
  done
  has_postgres || list="$list postgresql"
  printf '%s' "${list# }"
}

# has_postgres: Debian has it in a folder of its version, where PATH does not lead.
has_postgres() {
  command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

# do_without REASON: nobody but CI is held up by what is missing.
do_without() {
  say "packages: $1"
  [ -z "${CI:-}" ] || exit 1
  exit 0
}

# keep_services_down: Debian starts what it installs, unless policy-rc.d answers 101, and makes a database cluster in
# /var/lib, unless it is told not to. The tests make their own.
keep_services_down() {
  trap restore EXIT
  # One of ours is left from a run that was killed.
  [ ! -e "$policy" ] || grep -q hack/packages.sh "$policy" || mv "$policy" "$aside"
  printf '#!/bin/sh\n# There while hack/packages.sh of Keywright installs.\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  mkdir -p "$clusters"
  printf '# There while hack/packages.sh of Keywright installs.\ncreate_main_cluster = false\n' >"$clusters/keywright.conf"
}

restore() {
  rm -f "$clusters/keywright.conf"
  rmdir --ignore-fail-on-non-empty -p "$clusters" 2>/dev/null || true
  rm -f "$policy"
  [ ! -e "$aside" ] || mv "$aside" "$policy"
}

# fetch PACKAGE...: the lists of packages are renewed when something can't be had by those that are there.
fetch() {
  apt_install "$@" || { apt-get update -qq && apt_install "$@"; }
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# install PACKAGE...: all that apt-get says is shown only if it fails.
install() {
  local log; log=$(mktemp)
  say "packages: installing $*"
  keep_services_down
  if fetch "$@" >"$log" 2>&1; then
    rm -f "$log"
    return
  fi
  tail -n 5 "$log" >&2
  do_without "apt-get could not install $* (all it said is in $log); tests that need them are left out"
}

if [ -n "${CI:-}" ]; then
  hack/traefik/build.sh >/dev/null
elif [ -z "$(hack/traefik/build.sh --if-built)" ]; then
  say "packages: Traefik is not built; tests that need it are left out until: hack/traefik/build.sh (minutes)"
fi
need=$(missing)
[ -n "$need" ] || exit 0
command -v apt-get >/dev/null ||
  do_without "not installed: $need; tests that need them are left out until your package manager has installed them"
[ "$(id -u)" = 0 ] ||
  do_without "not installed: $need; tests that need them are left out until: sudo apt-get install --no-install-recommends $need"

# Of two test runs at once the second finds everything there. apt's folder serves as the lock.
if command -v flock >/dev/null; then
  exec 9</etc/apt
  flock 9
  need=$(missing)
fi
# shellcheck disable=SC2086 # a list of names
[ -z "$need" ] || install $need
need=$(missing)
[ -z "$need" ] || do_without "installed and not found in PATH: $need"
