// Package keyformat owns the form of an API key: how one is generated, what a person may bring, and which part of it
// people may see. It knows nothing of digests, owners or where a key is kept.
//
// A generated key is 49 characters at the default prefix:
//
//	ak_ + 40 base62 characters from crypto/rand + 6 base62 characters of the CRC-32 of all that precedes
//
// so that a mistyped or truncated key is refused without a look-up, and a scanner can tell a key from noise.
package keyformat
