// Package pepper owns the instance's secret of secrets: reading it, and digesting API keys with it.
//
// A pepper is at least 32 random bytes. Its id is computed from it, so a pepper put in another's place is
// noticed. What is stored of a key is hmac-sha256:<pepper id>:<hex of HMAC-SHA-256(pepper, key)>.
//
// Where peppers are kept is not this package's business: the operator reads a Secret, the server a mounted
// folder.
package pepper
