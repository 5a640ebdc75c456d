package verify

import (
	"encoding/binary"

	"keywright.dev/keywright/internal/key/pepper"
)

// fingerprint is a digest folded to 100 bits, each bit of the digest adding to one of them. No caller can make two
// keys meet in it: IPsec makes do with 96 bits of an HMAC (RFC 2404). In the index a digest would cost twice the
// memory, and to fetch that is most of a look-up.
type fingerprint struct {
	low uint64
	// high has 36 bits, where highMask has them.
	high uint64
}

const highMask = 0xFFFFFFFFF << 28

func fingerprintOf(sum *pepper.Sum) fingerprint {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(sum[8*i:]) }
	low, high := word(0)^word(2), word(1)^word(3)
	return fingerprint{low: low, high: (high ^ high<<36) & highMask}
}
