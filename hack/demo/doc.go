// Command demo shows Keywright at work on a control plane of its own: `make demo`.
//
// It owns what is around the story: the folder .demo with its lock, the order of start and end, and what a
// person is left with. The story itself is test/scenario, the processes are test/stack.
package main
