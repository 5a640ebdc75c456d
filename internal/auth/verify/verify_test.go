package verify_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

var (
	format = keyformat.Format{Prefix: keyformat.DefaultPrefix}
	// now is an arbitrary instant.
	now = time.Date(2030, time.March, 1, 12, 0, 0, 0, time.UTC)
)

func keyring(tb testing.TB, names ...string) *pepper.Keyring {
	tb.Helper()
	entries := map[string][]byte{pepper.Active: bytes.Repeat([]byte{'p'}, 32)}
	for _, name := range names {
		entries[name] = bytes.Repeat([]byte(name), 32)
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		tb.Fatal(err)
	}
	return ring
}

func id(name string) verify.ID {
	return verify.ID{Kind: "AdminUser", Namespace: "keywright-system", Name: name}
}

// admin returns an accepted admin with one key for each digest.
func admin(name string, digests ...pepper.Digest) verify.KeyObject {
	h := verify.KeyObject{
		Identity:     verify.Identity{Username: name, Subject: "User/" + name, Admin: true},
		Standing:     verify.Accepted,
		Created:      now.AddDate(-1, 0, 0),
		UID:          "uid-of-" + name,
		UserID:       "id-of-" + name,
		OwnsUsername: true,
		HoldsKeys:    len(digests) > 0,
	}
	for _, d := range digests {
		h.Keys = append(h.Keys, verify.Key{Digest: d})
	}
	return h
}

func wantReason(t *testing.T, v verify.Verdict, want verify.Reason) {
	t.Helper()
	if v.Reason != want {
		t.Fatalf("got %s, want %s", v.Reason, want)
	}
}

func TestVerify_AcceptedKeySpeaksAsItsObject(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	alice := admin("Alice", ring.Digest(numbered(1)))
	index.Put(id("alice"), alice)

	v := verify.NewVerifier(index, format, ring).Verify(numbered(1), now)

	wantReason(t, v, verify.Accepted)
	if v.Identity() != alice.Identity {
		t.Fatalf("speaks as %+v, want %+v", v.Identity(), alice.Identity)
	}
	if want := ring.Digest(numbered(1)).KeyID(); v.KeyID() != want {
		t.Fatalf("key id %s, want %s", v.KeyID(), want)
	}
}

func TestVerify_RefusedKeyHasAnIDAndNoIdentity(t *testing.T) {
	for _, why := range []verify.Reason{verify.Deleted, verify.Disabled, verify.Demoted, verify.Unknown} {
		t.Run(why.String(), func(t *testing.T) {
			ring, index := keyring(t), &verify.Index{}
			h := admin("alice", ring.Digest(numbered(1)))
			h.Standing = why
			index.Put(id("alice"), h)

			v := verify.NewVerifier(index, format, ring).Verify(numbered(1), now)

			wantReason(t, v, why)
			if v.Accepted() || v.Identity() != (verify.Identity{}) {
				t.Fatalf("a refused key speaks as %+v", v.Identity())
			}
			if v.KeyID() != ring.Digest(numbered(1)).KeyID() {
				t.Fatalf("key id %q", v.KeyID())
			}
		})
	}
}

func TestVerify_RefusesZeroObject(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), verify.KeyObject{Keys: []verify.Key{{Digest: ring.Digest(numbered(1))}}})
	if v := verify.NewVerifier(index, format, ring).Verify(numbered(1), now); v.Accepted() {
		t.Fatal("accepted")
	}
}

func TestVerify_RefusesUnknownAndMalformed(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	verifier := verify.NewVerifier(index, format, ring)
	for presented, want := range map[string]verify.Reason{
		"":                                 verify.Empty,
		"short":                            verify.Malformed,
		numbered(1)[:48]:                   verify.Malformed,
		numbered(1) + "\n":                 verify.Malformed,
		numbered(1) + "0":                  verify.Malformed,
		strings.Repeat("é", 20):            verify.Malformed,
		strings.Repeat("x", 1<<16):         verify.Malformed,
		numbered(2):                        verify.Unknown,
		"an-unknown-brought-key":           verify.Unknown,
		strings.ToLower("A" + numbered(1)): verify.Unknown,
	} {
		v := verifier.Verify(presented, now)
		if v.Reason != want || v.KeyID() != "" || v.Identity() != (verify.Identity{}) {
			t.Errorf("%.60q: got %s of key %q, want %s without a key id", presented, v.Reason, v.KeyID(), want)
		}
	}
}

// A digest that a person wrote for a malformed text must not make it a key.
func TestVerify_RefusesMalformedKeyOnRecord(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), admin("alice", ring.Digest(""), ring.Digest("short")))
	verifier := verify.NewVerifier(index, format, ring)
	wantReason(t, verifier.Verify("", now), verify.Empty)
	wantReason(t, verifier.Verify("short", now), verify.Malformed)
}

func TestVerify_RefusesFromExpiresAtOn(t *testing.T) {
	for name, expiresAt := range map[string]time.Time{
		"soon":                now,
		"in a far year":       time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		"to the microsecond":  now.Add(123456 * time.Microsecond),
		"in another location": now.In(time.FixedZone("", 3600)),
	} {
		t.Run(name, func(t *testing.T) {
			ring, index := keyring(t), &verify.Index{}
			h := admin("alice", ring.Digest(numbered(1)))
			h.Keys[0].ExpiresAt = expiresAt
			index.Put(id("alice"), h)
			verifier := verify.NewVerifier(index, format, ring)

			wantReason(t, verifier.Verify(numbered(1), expiresAt.Add(-time.Microsecond)), verify.Accepted)
			wantReason(t, verifier.Verify(numbered(1), expiresAt), verify.Expired)
			wantReason(t, verifier.Verify(numbered(1), expiresAt.AddDate(5, 0, 0)), verify.Expired)
		})
	}
}

func TestVerify_RefusesExpiresAtBefore1970(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	h := admin("alice", ring.Digest(numbered(1)))
	h.Keys[0].ExpiresAt = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	index.Put(id("alice"), h)
	wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(1), now), verify.Expired)
}

func TestVerify_StandingPrecedesExpiry(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	h := admin("alice", ring.Digest(numbered(1)))
	h.Keys[0].ExpiresAt, h.Standing = now, verify.Disabled
	index.Put(id("alice"), h)
	wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(1), now), verify.Disabled)
}

func TestVerify_FindsKeysOfEveryPepperInTheKeyring(t *testing.T) {
	before, after, index := keyring(t, "x"), keyring(t), &verify.Index{}
	old := pepper.Digest{PepperID: before.ID(1), Sum: before.Sum(1, numbered(1))}
	index.Put(id("alice"), admin("alice", old, before.Digest(numbered(2))))
	verifier := verify.NewVerifier(index, format, before)

	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	wantReason(t, verifier.Verify(numbered(2), now), verify.Accepted)
	verifier.SetKeyring(after)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Unknown)
	wantReason(t, verifier.Verify(numbered(2), now), verify.Accepted)
	verifier.SetKeyring(before)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
}

func TestSetBootstrap_KeyIsAdmin(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	first, second := ring.Digest("the-first-bootstrap-key"), ring.Digest("the-second-bootstrap-key")

	index.SetBootstrap(&first)
	v := verifier.Verify("the-first-bootstrap-key", now)
	wantReason(t, v, verify.Accepted)
	if want := (verify.Identity{Username: "admin", Subject: "User/admin", Admin: true}); v.Identity() != want {
		t.Fatalf("speaks as %+v", v.Identity())
	}

	index.SetBootstrap(&second)
	wantReason(t, verifier.Verify("the-first-bootstrap-key", now), verify.Unknown)
	wantReason(t, verifier.Verify("the-second-bootstrap-key", now), verify.Accepted)

	index.Replace("AdminUser", "", func(func(verify.ID, verify.KeyObject) bool) {})
	wantReason(t, verifier.Verify("the-second-bootstrap-key", now), verify.Accepted)

	index.SetBootstrap(nil)
	wantReason(t, verifier.Verify("the-second-bootstrap-key", now), verify.Unknown)
	if index.Len() != 0 {
		t.Fatalf("%d keys left", index.Len())
	}
}

func TestVerify_OlderOfTwoObjectsWithOneKeyWins(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	older, younger := admin("older", ring.Digest(numbered(1))), admin("younger", ring.Digest(numbered(1)))
	younger.Created = older.Created.Add(time.Second)
	speaksAs := func(want string) {
		t.Helper()
		v := verifier.Verify(numbered(1), now)
		if v.Identity().Username != want {
			t.Fatalf("speaks as %q, want %q", v.Identity().Username, want)
		}
	}

	index.Put(id("younger"), younger)
	speaksAs("younger")
	index.Put(id("older"), older)
	speaksAs("older")
	older.Standing = verify.Disabled
	index.Put(id("older"), older)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Disabled)
	index.Put(id("older"), admin("older"))
	speaksAs("younger")
	if index.Len() != 1 {
		t.Fatalf("%d keys, want 1", index.Len())
	}
}

func TestVerify_HonoursOneOfTwoObjectsWithOneUsername(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	older, younger := admin("alice", ring.Digest(numbered(1))), admin("ALICE", ring.Digest(numbered(2)))
	younger.Created = older.Created.Add(time.Second)
	other := admin("bob", ring.Digest(numbered(3)))

	index.Put(id("younger"), younger)
	index.Put(id("bob"), other)
	wantReason(t, verifier.Verify(numbered(2), now), verify.Accepted)
	index.Put(id("older"), older)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	wantReason(t, verifier.Verify(numbered(2), now), verify.UsernameTaken)
	wantReason(t, verifier.Verify(numbered(3), now), verify.Accepted)
	index.Delete(id("older"))
	wantReason(t, verifier.Verify(numbered(2), now), verify.Accepted)
}

// An APIKey speaks as a user and does not claim the username.
func TestVerify_APIKeyDoesNotClaimAUsername(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	apiKey := admin("alice", ring.Digest(numbered(2)))
	apiKey.OwnsUsername = false
	index.Put(verify.ID{Kind: "APIKey", Namespace: "team", Name: "ci"}, apiKey)
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	wantReason(t, verifier.Verify(numbered(2), now), verify.Accepted)
}

func TestReason_NamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range verify.Reasons() {
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(r.String()) || seen[r.String()] {
			t.Errorf("reason %d has the name %q", r, r)
		}
		seen[r.String()] = true
	}
	if got := verify.Reason(200).String(); got != "unknown" {
		t.Errorf("an invalid reason has the name %q", got)
	}
}
