//go:build !race

package verify_test

import (
	"testing"

	"keywright.dev/keywright/internal/verify"
)

// With the race detector a sync.Pool throws some of what it is given away, on purpose.
func TestVerifyDoesNotAllocate(t *testing.T) {
	ring, index := keyring(t, "x"), &verify.Index{}
	expired := admin("alice", ring.Digest(numbered(1)), ring.Digest(numbered(2)))
	expired.Keys[1].NotAfter = now
	index.Put(id("alice"), expired)
	verifier := verify.NewVerifier(index, format, ring)
	for name, presented := range map[string]string{
		"accepted": numbered(1), "expired": numbered(2), "unknown": numbered(3), "malformed": "?", "empty": "",
	} {
		if n := testing.AllocsPerRun(1000, func() { verifier.Verify(presented, now) }); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
