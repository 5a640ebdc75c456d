#!/usr/bin/env bash
# packages.sh [PACKAGE...]: with arguments, makes sure that these Debian packages are installed.
#
# Without, makes sure that the programs that tests run beside Keywright are installed: nginx, Caddy, git, curl, Chromium,
# PostgreSQL and Traefik; and axe-core, a script that tests run in Chromium.
#
# As root on Debian or a derivative, missing programs are installed, and not started. Otherwise one line lists them,
# and the suites skip their tests. With CI set that is a failure: no test may be skipped there. Traefik has no package
# and takes minutes to build, so it is built in CI only. axe-core is fetched with npm.
set -euo pipefail
cd "$(dirname "$0")/.."

# nginx is in a folder that is not in everyone's PATH.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
policy=/usr/sbin/policy-rc.d
aside=$policy.before-keywright
# The configuration of Debian's PostgreSQL installation.
clusters=/etc/postgresql-common/createcluster.d

wanted=$*

say() { printf '%s\n' "$*" >&2; }

# missing: the packages of missing programs. All but PostgreSQL's have the name of the program.
missing() {
  local program list=
  if [ -n "$wanted" ]; then
    for program in $wanted; do
      [ "$(dpkg-query -W -f='${db:Status-Status}' "$program" 2>/dev/null)" = installed ] || list="$list $program"
    done
    printf '%s' "${list# }"
    return
  fi
  for program in nginx caddy git curl chromium npm; do
    command -v "$program" >/dev/null || list="$list $program"
  done
  has_postgres || list="$list postgresql"
  printf '%s' "${list# }"
}

# has_postgres: Debian installs it in a folder with its version, outside PATH.
has_postgres() {
  command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null
}

# do_without REASON: only CI fails because of a missing program.
do_without() {
  say "packages: $1"
  [ -z "${CI:-}" ] || exit 1
  exit 0
}

# keep_services_down: Debian starts what it installs unless policy-rc.d answers 101, and creates a database cluster in
# /var/lib unless configured otherwise. The tests create their own.
keep_services_down() {
  trap restore EXIT
  # A killed run left ours behind.
  [ ! -e "$policy" ] || grep -q hack/packages.sh "$policy" || mv "$policy" "$aside"
  printf '#!/bin/sh\n# Present while hack/packages.sh of Keywright installs.\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  mkdir -p "$clusters"
  printf '# Present while hack/packages.sh of Keywright installs.\ncreate_main_cluster = false\n' >"$clusters/keywright.conf"
}

restore() {
  rm -f "$clusters/keywright.conf"
  rmdir --ignore-fail-on-non-empty -p "$clusters" 2>/dev/null || true
  rm -f "$policy"
  [ ! -e "$aside" ] || mv "$aside" "$policy"
}

# fetch PACKAGE...: updates the package lists only if the present ones are not enough.
fetch() {
  apt_install "$@" || { apt-get update -qq && apt_install "$@"; }
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# install PACKAGE...: shows the output of apt-get only if it fails.
install() {
  local log; log=$(mktemp)
  say "packages: installing $*"
  keep_services_down
  if fetch "$@" >"$log" 2>&1; then
    rm -f "$log"
    return
  fi
  tail -n 5 "$log" >&2
  do_without "apt-get could not install $* (its output is in $log); tests that need them are skipped"
}

# fetch_axe: the tests of pages need it, and npm to fetch it.
fetch_axe() {
  [ -z "$wanted" ] || return 0
  hack/axe/fetch.sh >/dev/null || do_without "npm could not fetch axe-core; tests of pages are skipped"
}

if [ -n "$wanted" ]; then
  :
elif [ -n "${CI:-}" ]; then
  hack/traefik/build.sh >/dev/null
  # Elsewhere the tests of the chart and the alerts build them themselves.
  hack/helm/build.sh >/dev/null
  hack/promtool/build.sh >/dev/null
elif [ -z "$(hack/traefik/build.sh --if-built)" ]; then
  say "packages: Traefik is not built; tests that need it are skipped until you run hack/traefik/build.sh (minutes)"
fi
need=$(missing)
if [ -z "$need" ]; then
  fetch_axe
  exit 0
fi
command -v apt-get >/dev/null ||
  do_without "not installed: $need; tests that need them are skipped until you install them"
[ "$(id -u)" = 0 ] ||
  do_without "not installed: $need; tests that need them are skipped until you run: sudo apt-get install --no-install-recommends $need"

# With two test runs at once, the second one finds everything installed. apt's folder serves as the lock.
if command -v flock >/dev/null; then
  exec 9</etc/apt
  flock 9
  need=$(missing)
fi
# shellcheck disable=SC2086 # a list of names
[ -z "$need" ] || install $need
need=$(missing)
[ -z "$need" ] || do_without "installed and not found in PATH: $need"
fetch_axe
