// Package lifecycle decides what happens next to the keys of one object: a pure function of the spec, the status, what
// is known of the Secret, and the time. It also owns the rules on time and succession that operator and server share.
//
// It owns the order of writes: a crash between any two neither loses nor duplicates a key, and a key that can be read
// in a Secret is accepted already:
//
//	         Record                 Deliver                 Settle
//	(no key) ------> digest pending ------> key in Secret ------> current; the old one leaves,
//	          status                 Secret                status    or ends with its overlap
//
// Each step is one write. After it the caller decides again, with the new facts; a restarted process continues at the
// same place. A pending digest whose plaintext is neither in hand nor in the Secret is replaced.
//
// The order holds for two operators at once, such as a leader that was paused and its successor, if the caller refuses
// every write to a version that it has not read, reads the Secret before Record and not again before Deliver, and
// starts again from fresh status, without a key in hand, after a conflict.
//
// The package does not depend on Kubernetes and does no I/O. Package verify decides whether a key is accepted.
package lifecycle
