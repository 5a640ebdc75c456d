package key

import "fmt"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// readBase62 fills dst with evenly distributed base62 characters.
//
// A byte of 248 or more is thrown away: 248 is the largest multiple of 62 in a byte, and taking the rest
// modulo 62 would make the first eight characters likelier than the others.
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

// putChecksum writes sum in base62 over the whole of dst, most significant character first.
func putChecksum(dst []byte, sum uint32) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = alphabet[sum%62]
		sum /= 62
	}
}

func isBase62(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
