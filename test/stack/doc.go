// Package stack starts a real control plane on loopback, and Keywright on it, for the demo, the end-to-end tests and
// the benchmarks.
//
// It starts and stops the processes, waits until they are ready, and gives each its identity: the operator and the
// server get tokens of their own ServiceAccounts, never the admin's. It replaces the two parts of a cluster that are
// missing: the kubelet that mounts the pepper, and the Deployments that run the programs.
//
// It does not check what Keywright does.
package stack
