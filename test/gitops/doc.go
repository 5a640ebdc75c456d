// Package gitops tests how Keywright's objects behave under the tools that apply them from Git, Argo CD and Flux: what
// the tools see, that nothing they apply fights with what the operator writes, and that all that docs/gitops.md tells
// a person to do works as it is written there.
package gitops
