// Package cli plays the command line against a real server on a real API server. The scripts in testdata read as
// documentation: each shows one task.
package cli
