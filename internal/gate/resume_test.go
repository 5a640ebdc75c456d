package gate_test

import (
	"testing"

	"keywright.dev/keywright/internal/gate"
)

// A kept digest stands for what its key stands for now. No use of the key is recorded.
func TestResume_IdentifiesAsTheKeyDoesNow(t *testing.T) {
	h := newFixture(t)
	for key, want := range map[string]string{
		aliceKey: "key User/alice admin", bobsAPIKey: "key User/bob", ciKey: "key Account/ci",
		bootstrapKey: "key User/admin admin", daveKey: refused, erinKey: refused, unknownKey: refused,
	} {
		digest := h.Verifier.Keyring().Digest(key)
		d := h.Resume(&digest)
		if describe(&d) != want || d.Presented {
			t.Errorf("%s: got %s, want %s", key, describe(&d), want)
		}
		if d.Outcome == gate.Allowed && d.Caller.KeyID != digest.KeyID() {
			t.Errorf("%s: key id %q", key, d.Caller.KeyID)
		}
	}
}
