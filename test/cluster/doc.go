// Package cluster installs Keywright on a cluster with a real node, and rotates, restarts, evicts and kills it while a
// workload calls an app through nginx. `make test-cluster` runs it; `go test` alone runs nothing of it.
package cluster
