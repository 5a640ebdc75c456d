// Package scenario is the story that the demo shows and the end-to-end tests replay: an admin is applied, gets a key,
// uses it, has it rotated, and is deleted.
//
// It owns the steps, how their commands are run and printed, and what each has to show. It starts no process of
// Keywright: its caller passes the address of a running one. The plaintext of a key passes through files only, never
// through arguments or output.
package scenario
