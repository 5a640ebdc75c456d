// Package gitops tests how Keywright's objects behave under Argo CD and Flux, which apply them from Git: the health
// that the tools see, that their writes and the operator's do not conflict, and that the steps of docs/gitops.md
// work.
package gitops
