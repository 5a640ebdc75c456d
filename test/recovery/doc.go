// Package recovery plays the loss of a cluster: kubectl keywright backup and restore, in every order, into a new one.
package recovery
