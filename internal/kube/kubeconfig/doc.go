// Package kubeconfig finds the API server and the identity to reach it with, in one order for every program. Its errors
// are for a person to read.
package kubeconfig
