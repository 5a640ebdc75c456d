//go:build !race

package verify_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
)

// With the race detector a sync.Pool drops some of its items on purpose, so this file is not built with it.
func TestVerify_DoesNotAllocate(t *testing.T) {
	ring, index := keyring(t, "x"), &verify.Index{}
	expired := admin("alice", ring.Digest(numbered(1)), ring.Digest(numbered(2)))
	expired.Keys[1].ExpiresAt = now
	index.Put(id("alice"), expired)
	verifier := verify.NewVerifier(index, format, ring)
	for name, presented := range map[string]string{
		"accepted": numbered(1), "expired": numbered(2), "unknown": numbered(3), "malformed": "?", "empty": "",
	} {
		if n := testing.AllocsPerRun(1000, func() {
			if v := verifier.Verify(presented, now); v.Accepted() {
				v.ShouldReportUse(now, time.Minute)
			}
		}); n > 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestScopes_CachesUsableScopes(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	rights := access.Rights{Scopes: []string{"certs.read"}, Roles: []string{"reader"}}
	index.Put(apiKeyID("alices"), apiKey("alice", rights, ring.Digest(numbered(1))))
	bind(index, "reader", reader(), "alice")
	verifier := verify.NewVerifier(index, format, ring)
	v := verifier.Verify(numbered(1), now)
	if n := testing.AllocsPerRun(1000, func() { verifier.Scopes(v) }); n > 0 || len(verifier.Scopes(v)) != 1 {
		t.Errorf("%v allocations for %q", n, verifier.Scopes(v))
	}
}
