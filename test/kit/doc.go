// Package kit contains what the suites share: a control plane started once a suite, clients over a cache and clients
// that fail, recorders of events and logs, and the checks that hold for every object of Keywright.
package kit
