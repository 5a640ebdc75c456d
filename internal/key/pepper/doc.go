// Package pepper owns the peppers of an instance, and the digests of keys that are made with them.
//
// A pepper is at least 32 random bytes. Its id is derived from it, so a pepper that replaces another is
// detected. The stored form of a key is hmac-sha256:<pepper id>:<hex of HMAC-SHA-256(pepper, key)>. A key that was
// imported without its plaintext may have the form sha256:<hex of SHA-256(key)> until its first rotation.
//
// Callers decide where peppers are kept: the operator reads a Secret, the server a mounted folder.
package pepper
