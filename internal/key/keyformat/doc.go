// Package keyformat owns the form of an API key: how one is generated, what a person may bring, and which
// part of it may be shown. Digests, owners and storage are the business of other packages.
//
// A generated key has 49 characters with the default prefix:
//
//	ak_ + 40 base62 characters from crypto/rand + 6 base62 characters of the CRC-32 of everything before them
//
// The checksum lets the server refuse a mistyped or truncated key without a look-up, and lets a scanner
// recognize keys.
package keyformat
