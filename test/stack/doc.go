// Package stack brings up a real control plane on loopback, and Keywright on it, for the demo, the
// end-to-end tests and the benchmarks.
//
// It owns how the processes are started, found ready and ended, and under which identity each one
// works: the operator and the server get the tokens of their own ServiceAccounts, never the admin's.
// It stands in for the two parts of a cluster that are not there: the kubelet that mounts the pepper,
// and the Deployments that run the programs.
//
// It owns no expectation about what Keywright does: that is for those who use it.
package stack
