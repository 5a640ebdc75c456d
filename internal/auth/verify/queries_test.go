package verify_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// What was kept of a key is good whatever the peppers and the form of keys are by now: it goes by what is recorded.
func TestAKeyIsRecalledByItsDigest(t *testing.T) {
	before, index := keyring(t), &verify.Index{}
	digest := before.Digest(numbered(1))
	index.Put(id("alice"), admin("alice", digest))
	verifier := verify.NewVerifier(index, format, before)
	other, err := pepper.Load(map[string][]byte{pepper.Active: []byte("another pepper of thirty-two or so")})
	if err != nil {
		t.Fatal(err)
	}
	verifier.SetKeyring(other)
	verifier.SetFormat(keyformat.Format{Prefix: "x_"})

	v := verifier.VerifyDigest(&digest, now)

	wantReason(t, v, verify.Accepted)
	if v.Identity().Username != "alice" || v.KeyID() != digest.KeyID() || !verifier.May(v, access.Request{Action: "certs.read", Resource: "*"}) {
		t.Fatalf("%+v %s", v.Identity(), v.KeyID())
	}
	unknown := before.Digest(numbered(2))
	for name, v := range map[string]verify.Verdict{
		"unknown": verifier.VerifyDigest(&unknown, now), "nothing": verifier.VerifyDigest(&pepper.Digest{}, now),
		"a part of it": verifier.VerifyDigest(&pepper.Digest{Sum: pepper.Sum(append(digest.Sum[:31:31], digest.Sum[31]^1))}, now),
	} {
		if v.Reason != verify.Unknown || v.KeyID() != "" {
			t.Errorf("%s: %s %s", name, v.Reason, v.KeyID())
		}
	}
	index.Delete(id("alice"))
	wantReason(t, verifier.VerifyDigest(&digest, now), verify.Unknown)
}

func TestWhatCarriesSessionsByItsDigest(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	one, old := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	for name, c := range map[string]struct {
		change   func(*verify.KeyObject)
		one, old [2]bool
	}{
		"accepted":      {func(*verify.KeyObject) {}, [2]bool{true, true}, [2]bool{false, true}},
		"disabled":      {func(h *verify.KeyObject) { h.Standing = verify.Disabled }, [2]bool{false, true}, [2]bool{false, true}},
		"expired":       {func(h *verify.KeyObject) { h.Keys[0].NotAfter = now.Add(-time.Hour) }, [2]bool{true, true}, [2]bool{false, true}},
		"not on record": {func(h *verify.KeyObject) { h.Keys = nil }, [2]bool{}, [2]bool{}},
	} {
		h := admin("alice", one, old)
		h.Keys[1].Overlapping = true
		c.change(&h)
		index.Put(id("alice"), h)
		for digest, want := range map[*pepper.Digest][2]bool{&one: c.one, &old: c.old} {
			if carries, onRecord := verifier.CanHoldSession(digest); [2]bool{carries, onRecord} != want {
				t.Errorf("%s: %t and %t, want %v", name, carries, onRecord, want)
			}
		}
	}
}

func TestTheFormOfKeysCountsFromTheNextOneOn(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	const mistyped = "ak_0123456789012345678901234567890123456789012345"
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1)), ring.Digest(mistyped)))
	verifier := verify.NewVerifier(index, format, ring)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	wantReason(t, verifier.Verify(mistyped, now), verify.Malformed)
	verifier.SetFormat(keyformat.Format{Prefix: "zz_"})
	wantReason(t, verifier.Verify("zz_0123456789012345678901234567890123456789012345", now), verify.Malformed)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	wantReason(t, verifier.Verify(mistyped, now), verify.Accepted) // a key that somebody brought, by that form
	verifier.SetFormat(format)
	wantReason(t, verifier.Verify(mistyped, now), verify.Malformed)
}

func TestEndsOfKeys(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	for name, c := range map[string]struct {
		notAfter, at, want time.Time
	}{
		"none":                {time.Time{}, now, time.Time{}},
		"in the future":       {now.Add(time.Hour), now, now.Add(time.Hour)},
		"to the microsecond":  {now.Add(time.Hour + 1234567*time.Nanosecond), now, now.Add(time.Hour + 1234*time.Microsecond)},
		"in a far year":       {time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), now, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		"just now":            {now, now, time.Time{}},
		"in the past":         {now.Add(-time.Hour), now, time.Time{}},
		"in another location": {now.Add(time.Hour).In(time.FixedZone("", 3600)), now, now.Add(time.Hour)},
	} {
		h := admin("alice", ring.Digest(numbered(1)))
		h.Keys[0].NotAfter = c.notAfter
		index.Put(id("alice"), h)
		v := verifier.Verify(numbered(1), c.at)
		if got := v.Ends(); !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%s: ends %s, want %s", name, got, c.want)
		}
		h.Standing = verify.Disabled
		index.Put(id("alice"), h)
		if got := verifier.Verify(numbered(1), c.at).Ends(); !got.IsZero() {
			t.Errorf("%s: refused, and ends %s", name, got)
		}
	}
	if !verify.Refused(verify.Unknown).Ends().IsZero() {
		t.Error("what is not there ends")
	}
}

func TestANameMayWhatItsRolesAllow(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	read := access.Request{Action: "certs.read", Resource: "certificate:42"}
	expect := func(what, name string, may bool) {
		t.Helper()
		if verifier.UserMay(name, read) != may {
			t.Errorf("%s: %s may: %t", what, name, !may)
		}
	}
	expect("no roles at all", "alice", false)
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	expect("an admin's bare name", "alice", false)
	index.Put(apiKeyID("bobs"), apiKey("bob", access.Given{Scopes: []string{"certs.read"}}, ring.Digest(numbered(2))))
	expect("what was given to a key was not to a name", "bob", false)
	index.PutRole("reader", access.Role{Members: []string{"alice"}, Permissions: []access.Permission{access.Scope("certs.read")}})
	expect("listed", "alice", true)
	expect("in another case", "Alice", false)
	expect("nobody", "", false)
	index.PutRole("never", access.Role{Members: []string{"alice"}, Permissions: []access.Permission{{
		Effect: access.Deny, Actions: []string{access.Any}, Resources: []string{"certificate:42"},
	}}})
	expect("denied", "alice", false)
	index.DeleteRole("never")
	expect("denied no more", "alice", true)
}

func TestWhoIsDisabledIsSoInAnyCase(t *testing.T) {
	index := &verify.Index{}
	verifier := verify.NewVerifier(index, format, keyring(t))
	expect := func(what string, want bool) {
		t.Helper()
		for _, name := range []string{"dave", "Dave", "DAVE"} {
			if verifier.IsDisabled(name) != want {
				t.Errorf("%s: %s is disabled: %t", what, name, !want)
			}
		}
	}
	expect("nobody is there", false)
	h := admin("Dave")
	index.Put(id("dave"), h)
	expect("an admin", false)
	h.Standing = verify.Demoted
	index.Put(id("dave"), h)
	expect("demoted", false)
	h.Standing, h.Disabled = verify.Disabled, true
	index.Put(id("dave"), h)
	expect("disabled", true)
	rival := admin("DAVE")
	rival.Created = h.Created.Add(-time.Hour)
	index.Put(id("rival"), rival)
	expect("another has the name", false)
	index.Delete(id("rival"))
	expect("and has it no more", true)
	index.Delete(id("dave"))
	expect("deleted", false)
}
