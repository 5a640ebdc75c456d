// Package cluster is the command kubectl keywright: it works on the objects in the cluster, with the rights of the
// user's own kubeconfig. What a key may do and why it is refused is decided by the packages that the server uses.
package cluster
