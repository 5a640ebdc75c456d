//go:build linux

// Command cluster runs a Kubernetes cluster with one real node on this machine, without Docker and without a registry:
// `make cluster` and `make cluster-down`.
//
// Everything runs below one process, the supervisor, in new namespaces for processes, mounts and the network, and ends
// with it. The host keeps nothing but a folder and empty cgroups, which `down` removes. The node has further
// namespaces for processes and mounts, so that `crash-node` equals a power failure.
package main
