package keyformat

import "fmt"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// readBase62 fills dst with evenly distributed base62 characters.
//
// It discards bytes from 248 on: 248 is the largest multiple of 62 in a byte, and taking every byte modulo 62
// would favour the first eight characters.
func readBase62(dst []byte, random func([]byte) error) error {
	buffer := make([]byte, len(dst)+len(dst)/4)
	for filled := 0; filled < len(dst); {
		if err := random(buffer); err != nil {
			return fmt.Errorf("reading random bytes: %w", err)
		}
		for _, b := range buffer {
			if b < 248 && filled < len(dst) {
				dst[filled] = alphabet[b%62]
				filled++
			}
		}
	}
	return nil
}

// putChecksum fills dst with sum in base62, most significant character first.
func putChecksum(dst []byte, sum uint32) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = alphabet[sum%62]
		sum /= 62
	}
}

// class is a set of character classes.
type class uint8

const (
	// anyKey is visible ASCII: the characters of every key.
	anyKey class = 1 << iota
	// base62Only is the characters of a generated key after its prefix.
	base62Only
)

// classes has the classes of each byte.
var classes = func() (table [256]class) {
	for c := 0x21; c <= 0x7E; c++ {
		table[c] = anyKey
	}
	for _, c := range []byte(alphabet) {
		table[c] |= base62Only
	}
	return table
}()

// commonClass returns the classes that every character of s belongs to.
func commonClass(s string) class {
	common := anyKey | base62Only
	for _, c := range []byte(s) {
		common &= classes[c]
	}
	return common
}
