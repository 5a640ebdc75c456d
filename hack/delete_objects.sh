#!/usr/bin/env bash
# delete_objects.sh KUBECTL...: deletes every APIKey and AdminUser of the current cluster, and waits until the operator
# has cleaned up after them. docs/install.md explains the order. If objects are still there after DELETE_TIMEOUT seconds
# (300), it prints them and what to do, and fails.
set -euo pipefail

kubectl=("$@")
timeout=${DELETE_TIMEOUT:-300}

kubectl() { command "${kubectl[@]}" "$@"; }

# installed KIND: whether the cluster has such objects at all.
installed() { [ -n "$(kubectl get crd "$1.keywright.dev" --ignore-not-found -o name)" ]; }

remaining() { kubectl get "$1" --all-namespaces --ignore-not-found -o name; }

# delete KIND: deletes all objects of a kind, and returns once they are gone.
delete() {
  local deadline=$((SECONDS + timeout))
  kubectl delete "$1" --all --all-namespaces --wait=false
  while [ -n "$(remaining "$1")" ]; do
    [ "$SECONDS" -lt "$deadline" ] || stuck "$1"
    sleep 1
  done
}

stuck() {
  {
    echo "delete_objects.sh: still there after $timeout seconds:"
    kubectl get "$1" --all-namespaces \
      -o custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,FINALIZERS:.metadata.finalizers
    echo "The operator removes these finalizers. If it does not run any more, remove them yourself:" \
      'see "When something hangs" in docs/install.md. Then start again.'
  } >&2
  exit 1
}

if installed apikeys; then
  delete apikeys
fi
if installed adminusers; then
  kubectl annotate adminusers --all --all-namespaces --overwrite keywright.dev/allow-last-admin-removal=true
  delete adminusers
fi
