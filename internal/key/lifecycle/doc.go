// Package lifecycle decides what happens next to the keys of one object: one pure function of what the spec
// asks, what the status records, what is known of the Secret, and the time.
//
// It owns the order of writes, so that a crash between any two neither loses nor doubles a key, and a key that
// can be read in a Secret already works:
//
//	         Record                 Deliver                 Settle
//	(no key) ------> digest pending ------> key in Secret ------> current; the old one leaves,
//	          status                 Secret                status    or ends with its overlap
//
// Each step is one write. After it the caller asks again, with what it then knows; a process that starts anew
// asks the same question and goes on at the same place. A pending digest whose plaintext is neither in hand nor
// in the Secret is lost for good and is replaced.
//
// The package knows no Kubernetes and does no I/O. What a key is worth is not its business either: see verify.
package lifecycle
