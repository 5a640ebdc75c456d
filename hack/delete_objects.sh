#!/usr/bin/env bash
# delete_objects.sh KUBECTL: deletes every APIKey and AdminUser of the current cluster, and waits until the operator has
# cleaned up after them. docs/install.md explains the order.
set -euo pipefail

kubectl() { command "$kubectl" "$@"; }
kubectl=$1

# installed KIND: whether the cluster has such objects at all.
installed() { [ -n "$(kubectl get crd "$1.keywright.dev" --ignore-not-found -o name)" ]; }

if installed apikeys; then
  kubectl delete apikeys --all --all-namespaces
fi
if installed adminusers; then
  kubectl annotate adminusers --all --all-namespaces --overwrite keywright.dev/allow-last-admin-removal=true
  kubectl delete adminusers --all --all-namespaces
fi
