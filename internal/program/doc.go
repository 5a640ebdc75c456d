// Package program owns what all programs of Keywright share, from the command line to the exit code: start,
// stop, and the flags that mean the same everywhere. Each program owns its other flags.
package program
