package verify_test

import (
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

// verdictOn returns the reason for which a key is accepted or refused.
func verdictOn(index *verify.Index, ring *pepper.Keyring, presented string) verify.Reason {
	return verify.NewVerifier(index, format, ring).Verify(presented, now).Reason
}

// An object records a revoked key before or after the revocation, alone or behind an older object.
func TestRevoke_RefusesKeyInEveryObject(t *testing.T) {
	ring := keyring(t)
	key, other := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	older := admin("older", key)
	older.Created = older.Created.Add(-time.Hour)
	revoke := func(x *verify.Index) []pepper.Digest { return x.Revoke([]pepper.Digest{key}) }
	put := func(name string, h verify.KeyObject) func(*verify.Index) []pepper.Digest {
		return func(x *verify.Index) []pepper.Digest { return x.Put(id(name), h) }
	}
	type step = func(*verify.Index) []pepper.Digest
	remove := func(x *verify.Index) []pepper.Digest { return x.Delete(id("older")) }
	alice, limited := admin("alice", key, other), apiKey("alice", access.Rights{}, key, other)
	for name, c := range map[string]struct {
		steps []step
		ends  int
	}{
		"before":             {[]step{revoke, put("alice", alice)}, 0},
		"after":              {[]step{put("alice", alice), revoke}, 1},
		"twice":              {[]step{put("alice", alice), revoke, revoke}, 0},
		"in an APIKey":       {[]step{put("alice", limited), revoke}, 1},
		"recreated":          {[]step{revoke, put("alice", admin("alice", key)), put("alice", alice)}, 0},
		"in a younger one":   {[]step{put("older", older), put("alice", alice), revoke}, 1},
		"after an older one": {[]step{put("older", older), put("alice", alice), revoke, remove}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			index := &verify.Index{}
			var ended []pepper.Digest
			for _, step := range c.steps {
				ended = step(index)
			}
			if len(ended) != c.ends || c.ends > 0 && ended[0] != key {
				t.Errorf("ended %v, want %d", ended, c.ends)
			}
			wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(1), now), verify.Revoked)
			wantReason(t, verify.NewVerifier(index, format, ring).VerifyDigest(&key, now), verify.Revoked)
			wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(2), now), verify.Accepted)
			if index.Revoked() != 1 || !index.IsRevoked(&key) || index.IsRevoked(&other) {
				t.Errorf("%d revoked keys", index.Revoked())
			}
		})
	}
}

func TestRevoke_OtherReasonsComeFirst(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	key := ring.Digest(numbered(1))
	h := admin("alice", key)
	h.Standing = verify.Disabled
	index.Put(id("alice"), h)
	index.Revoke([]pepper.Digest{key})
	if got := verdictOn(index, ring, numbered(1)); got != verify.Disabled {
		t.Error(got)
	}
	index.Put(id("alice"), admin("alice", key))
	if got := verdictOn(index, ring, numbered(1)); got != verify.Revoked {
		t.Error(got)
	}
}

// The key is recorded under a pepper and was revoked in the plain form, which no object records any more.
func TestVerify_RefusesKeyRevokedInPlainForm(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1)), ring.Digest(numbered(2))))
	index.Revoke([]pepper.Digest{ring.Form(ring.Len(), numbered(1))})
	if got := verdictOn(index, ring, numbered(1)); got != verify.Revoked {
		t.Error(got)
	}
	if got := verdictOn(index, ring, numbered(2)); got != verify.Accepted {
		t.Error(got)
	}
}

// The key is recorded under one pepper and was revoked under another.
func TestVerify_RefusesKeyRevokedUnderAnotherPepper(t *testing.T) {
	before, both := keyring(t), keyring(t, "q")
	oldID, revoked := before.ActiveID(), before.Digest(numbered(1))
	at := slices.IndexFunc([]int{0, 1}, func(i int) bool { return both.ID(i) != oldID })
	adopted := pepper.Digest{PepperID: both.ID(at), Sum: both.Sum(at, numbered(1))}
	free := pepper.Digest{PepperID: both.ID(at), Sum: both.Sum(at, numbered(2))}

	index := &verify.Index{}
	index.Put(id("alice"), admin("alice", adopted, free))
	verifier := verify.NewVerifier(index, format, both)
	for range 2 {
		wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
		wantReason(t, verifier.Verify(numbered(2), now), verify.Accepted)
	}
	index.Revoke([]pepper.Digest{revoked})
	for range 2 {
		wantReason(t, verifier.Verify(numbered(1), now), verify.Revoked)
		wantReason(t, verifier.VerifyDigest(&adopted, now), verify.Revoked)
		wantReason(t, verifier.Verify(numbered(2), now), verify.Accepted)
	}
	if !verifier.IsRevoked(numbered(1)) || verifier.IsRevoked(numbered(2)) {
		t.Error("the other form of the key is not known as revoked")
	}
}

// A pepper that is mounted later may have revoked keys.
func TestVerify_ChecksAgainWithAnotherKeyring(t *testing.T) {
	active, both, third := keyring(t), keyring(t, "q"), keyring(t, "r")
	at := slices.IndexFunc([]int{0, 1}, func(i int) bool { return third.ID(i) != active.ActiveID() })
	revoked := pepper.Digest{PepperID: third.ID(at), Sum: third.Sum(at, numbered(1))}
	index := &verify.Index{}
	index.Put(id("alice"), admin("alice", active.Digest(numbered(1))))
	index.Revoke([]pepper.Digest{revoked})
	verifier := verify.NewVerifier(index, format, both)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	verifier.SetKeyring(third)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Revoked)
}

func TestSetBootstrap_FormerKeyIsNoObjects(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	first, second := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	index.Put(apiKeyID("thief"), apiKey("thief", access.Rights{}, first))
	index.SetBootstrap(&first)
	verifier := verify.NewVerifier(index, format, ring)
	isBootstrap := func(v verify.Verdict) bool { return v.Accepted() && v.Identity().Username == "admin" }
	if !isBootstrap(verifier.Verify(numbered(1), now)) {
		t.Error("the bootstrap key is refused")
	}
	index.SetBootstrap(&second, first)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Revoked)
	if !verifier.WasBootstrap(numbered(1)) || verifier.WasBootstrap(numbered(2)) {
		t.Error("former bootstrap keys are not known")
	}
	index.SetBootstrap(nil, second, first)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Revoked)
	index.SetBootstrap(&first, second)
	if !isBootstrap(verifier.Verify(numbered(1), now)) {
		t.Error("a former bootstrap key can't be the bootstrap key again")
	}
	if len(index.TakeRecurrences()) > 0 {
		t.Error("a former bootstrap key counts as revoked")
	}
	index.Revoke([]pepper.Digest{first})
	wantReason(t, verifier.Verify(numbered(1), now), verify.Revoked)
	index.SetBootstrap(nil)
	if got := verdictOn(index, ring, numbered(1)); got != verify.Revoked {
		t.Error(got)
	}
}

// The last admin is kept when all are deleted at once; its key was revoked by its deletion.
func TestRevoke_KeepsLastAdmin(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	key, other := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	index.Put(id("bob"), admin("bob", other))
	last := admin("alice", key)
	last.Standing, last.StaysIfLast = verify.Deleted, true
	index.Put(id("alice"), last)
	index.Revoke([]pepper.Digest{key})
	if got := verdictOn(index, ring, numbered(1)); got != verify.Deleted {
		t.Errorf("%s while there is another admin", got)
	}
	index.Delete(id("bob"))
	if got := verdictOn(index, ring, numbered(1)); got != verify.Accepted {
		t.Errorf("%s although no other admin is left", got)
	}
	index.Put(id("bob"), admin("bob", other))
	index.Revoke([]pepper.Digest{other})
	if got := verdictOn(index, ring, numbered(1)); got != verify.Accepted {
		t.Errorf("%s although the key of the other admin is revoked", got)
	}
}

func TestTakeRecurrences(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	key, next := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	expect := func(want ...verify.Recurrence) {
		t.Helper()
		if got := index.TakeRecurrences(); !slices.Equal(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	one := verify.Recurrence{Object: id("alice"), UID: "uid-of-alice", KeyID: key.KeyID()}
	over := one
	over.Over = true

	index.Put(id("alice"), admin("alice", key))
	expect()
	index.Revoke([]pepper.Digest{key})
	expect(one)
	expect()
	index.Put(id("alice"), admin("alice", key))
	expect()
	index.Put(id("alice"), admin("alice", next))
	expect(over)
	index.Put(id("alice"), admin("alice", key, next))
	index.Put(id("alice"), admin("alice", next))
	expect(over)
	for _, standing := range []verify.Reason{verify.Revoked, verify.Demoted, verify.Deleted} {
		h := admin("alice", key)
		h.Standing = standing
		index.Put(id("alice"), h)
		expect()
		index.Delete(id("alice"))
	}
	h := admin("alice", key)
	h.Standing = verify.Disabled
	index.Put(id("alice"), h)
	expect(one)
}
