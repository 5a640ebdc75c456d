// Package cluster installs Keywright on a cluster with a real node, and rotates, restarts, evicts, kills and upgrades
// it while a workload calls an app through nginx. It also loses the cluster, and restores a backup in a new one.
// `make test-cluster` runs it; `go test` alone runs nothing of it.
package cluster
