// Package program owns what Keywright's programs have in common, from the command line to the exit code: how one is
// started, stopped and ends, and the flags that mean the same in each. Flags of its own, and all that follows from them,
// are each program's business.
package program
