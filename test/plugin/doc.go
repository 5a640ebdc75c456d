// Package plugin plays kubectl keywright on a real API server: under kubectl, as Krew installs it, and with the rights
// of different people. What it prints for each state of an object is in internal/cli/cluster.
package plugin
