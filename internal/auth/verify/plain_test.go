package verify_test

import (
	"testing"

	"keywright.dev/keywright/internal/auth/verify"
)

// A key in the plain form is accepted as long as an object records it, and its successor is under the pepper.
func TestVerify_AcceptsPlainFormUntilRotated(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	plain := ring.Form(ring.Len(), numbered(1))
	index.Put(id("bob"), admin("bob", ring.Digest(numbered(3))))

	wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(1), now), verify.Unknown)
	index.Put(id("alice"), admin("alice", plain))
	v := verify.NewVerifier(index, format, ring).Verify(numbered(1), now)
	wantReason(t, v, verify.Accepted)
	if v.Identity().Username != "alice" || v.KeyID() != plain.KeyID() || *v.Digest() != plain {
		t.Fatalf("speaks as %+v with key %s", v.Identity(), v.KeyID())
	}
	if unknown := verify.NewVerifier(index, format, ring).UnknownPeppers(); len(unknown) > 0 {
		t.Fatalf("unknown peppers %v", unknown)
	}
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(2))))
	wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(1), now), verify.Unknown)
	wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(2), now), verify.Accepted)
}

// The plain form is looked up last, and not at all while no object records one.
func TestVerify_PlainFormCostsNothingWithoutOne(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	verifier := verify.NewVerifier(index, format, ring)
	if n := verifier.Forms(); n != 1 {
		t.Fatalf("%d forms without a plain one, want 1", n)
	}
	index.Put(id("bob"), admin("bob", ring.Form(ring.Len(), numbered(2))))
	if n := verifier.Forms(); n != 2 {
		t.Fatalf("%d forms with a plain one, want 2", n)
	}
	index.Delete(id("bob"))
	if n := verifier.Forms(); n != 1 {
		t.Fatalf("%d forms after the plain one, want 1", n)
	}
}
