// Command demo shows Keywright at work on a control plane of its own: `make demo`.
//
// It owns the folder .demo with its lock, the order of start and end, and the hints at the end. The story itself is
// test/scenario, the processes are test/stack.
package main
