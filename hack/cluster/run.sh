#!/usr/bin/env bash
# run.sh [-name NAME] COMMAND...: runs the command of hack/cluster, with everything that it needs in PATH.
set -euo pipefail
cd "$(dirname "$0")/../.."

case " $* " in
  *' up '*) hack/packages.sh curl iproute2 nftables conntrack containernetworking-plugins libseccomp-dev pkg-config gcc libc6-dev ;;
esac
CGO_ENABLED=0 go build -trimpath -o bin/cluster/ ./hack/cluster ./hack/cluster/pause
case " $* " in
  *' down '*) ;;
  *)
    programs=$(hack/cluster/build.sh)
    PATH="$PWD/bin/cluster:$programs:$(hack/controlplane/build.sh):$PATH:/usr/sbin:/sbin"
    ;;
esac
exec bin/cluster/cluster "$@"
