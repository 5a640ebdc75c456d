package verify_test

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
)

// A kept digest is compared with what objects record, whatever the peppers and the format of keys are by now.
func TestVerifyDigest(t *testing.T) {
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
	may := verifier.May(v, access.Request{Action: "certs.read", Resource: "*"})
	if v.Identity().Username != "alice" || v.KeyID() != digest.KeyID() || !may {
		t.Fatalf("%+v %s", v.Identity(), v.KeyID())
	}
	unknown := before.Digest(numbered(2))
	changed := pepper.Digest{Sum: digest.Sum}
	changed.Sum[31] ^= 1
	for name, v := range map[string]verify.Verdict{
		"unknown": verifier.VerifyDigest(&unknown, now), "nothing": verifier.VerifyDigest(&pepper.Digest{}, now),
		"one other bit": verifier.VerifyDigest(&changed, now),
	} {
		if v.Reason != verify.Unknown || v.KeyID() != "" {
			t.Errorf("%s: %s %s", name, v.Reason, v.KeyID())
		}
	}
	index.Delete(id("alice"))
	wantReason(t, verifier.VerifyDigest(&digest, now), verify.Unknown)
}

func TestCanHoldSession(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	one, old := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	yes, no, unknown := [2]bool{true, true}, [2]bool{false, true}, [2]bool{}
	disable := func(h *verify.KeyObject) { h.Standing = verify.Disabled }
	expire := func(h *verify.KeyObject) { h.Keys[0].ExpiresAt = now.Add(-time.Hour) }
	for name, c := range map[string]struct {
		change   func(*verify.KeyObject)
		one, old [2]bool
	}{
		"accepted":      {func(*verify.KeyObject) {}, yes, no},
		"disabled":      {disable, no, no},
		"expired":       {expire, yes, no},
		"not on record": {func(h *verify.KeyObject) { h.Keys = nil }, unknown, unknown},
	} {
		h := admin("alice", one, old)
		h.Keys[1].Overlapping = true
		c.change(&h)
		index.Put(id("alice"), h)
		for digest, want := range map[*pepper.Digest][2]bool{&one: c.one, &old: c.old} {
			if can, onRecord := verifier.CanHoldSession(digest); [2]bool{can, onRecord} != want {
				t.Errorf("%s: %t and %t, want %v", name, can, onRecord, want)
			}
		}
	}
}

func TestSetFormat_AppliesToTheNextVerify(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	const mistyped = "ak_0123456789012345678901234567890123456789012345"
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1)), ring.Digest(mistyped)))
	verifier := verify.NewVerifier(index, format, ring)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	wantReason(t, verifier.Verify(mistyped, now), verify.Malformed)
	verifier.SetFormat(keyformat.Format{Prefix: "zz_"})
	wantReason(t, verifier.Verify("zz_0123456789012345678901234567890123456789012345", now), verify.Malformed)
	wantReason(t, verifier.Verify(numbered(1), now), verify.Accepted)
	wantReason(t, verifier.Verify(mistyped, now), verify.Accepted) // under this format it is a brought key
	verifier.SetFormat(format)
	wantReason(t, verifier.Verify(mistyped, now), verify.Malformed)
}

func TestEnds(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	exact := now.Add(time.Hour + 1234567*time.Nanosecond)
	farYear := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for name, c := range map[string]struct {
		expiresAt, at, want time.Time
	}{
		"none":                {time.Time{}, now, time.Time{}},
		"in the future":       {now.Add(time.Hour), now, now.Add(time.Hour)},
		"to the microsecond":  {exact, now, exact.Truncate(time.Microsecond)},
		"in a far year":       {farYear, now, farYear},
		"just now":            {now, now, time.Time{}},
		"in the past":         {now.Add(-time.Hour), now, time.Time{}},
		"in another location": {now.Add(time.Hour).In(time.FixedZone("", 3600)), now, now.Add(time.Hour)},
	} {
		h := admin("alice", ring.Digest(numbered(1)))
		h.Keys[0].ExpiresAt = c.expiresAt
		index.Put(id("alice"), h)
		v := verifier.Verify(numbered(1), c.at)
		if got := v.Ends(); !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%s: ends %s, want %s", name, got, c.want)
		}
		h.Standing = verify.Disabled
		index.Put(id("alice"), h)
		if got := verifier.Verify(numbered(1), c.at).Ends(); !got.IsZero() {
			t.Errorf("%s: a refused key ends %s", name, got)
		}
	}
	if !verify.Refused(verify.Unknown).Ends().IsZero() {
		t.Error("an unknown key has an end")
	}
}

func TestUserMay_AsTheRolesAllow(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	read := access.Request{Action: "certs.read", Resource: "certificate:42"}
	expect := func(what, name string, may bool) {
		t.Helper()
		if verifier.UserMay(name, read) != may {
			t.Errorf("%s: %s may: %t", what, name, !may)
		}
	}
	expect("without roles", "alice", false)
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	expect("the name of an admin", "alice", false)
	index.Put(apiKeyID("bobs"), apiKey("bob", access.Rights{Scopes: []string{"certs.read"}}, ring.Digest(numbered(2))))
	expect("rights of a key", "bob", false)
	bind(index, "reader", reader(), "alice")
	expect("bound", "alice", true)
	expect("in another case", "Alice", true)
	expect("no name", "", false)
	bind(index, "never", access.Role{Permissions: []access.Permission{{
		Effect: access.Deny, Actions: []string{access.Any}, Resources: []string{"certificate:42"},
	}}}, "alice")
	expect("denied", "alice", false)
	index.DeleteRole("never")
	expect("not denied any more", "alice", true)
}

func TestNamed_IgnoresCase(t *testing.T) {
	index := &verify.Index{}
	verifier := verify.NewVerifier(index, format, keyring(t))
	expect := func(what string, want bool) {
		t.Helper()
		for _, name := range []string{"dave", "Dave", "DAVE"} {
			if _, disabled := verifier.Named(name); disabled != want {
				t.Errorf("%s: %s is disabled: %t", what, name, !want)
			}
		}
	}
	expect("no object", false)
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
	expect("a rival has the username", false)
	index.Delete(id("rival"))
	expect("the rival is deleted", true)
	index.Delete(id("dave"))
	expect("deleted", false)
}

func TestUnknownPeppers_CountsKeys(t *testing.T) {
	ours, lost := ringOf(t, "p"), ringOf(t, "q")
	index := &verify.Index{}
	verifier := verify.NewVerifier(index, format, ours)
	expect := func(what string, want map[string]int) {
		t.Helper()
		if got := verifier.UnknownPeppers(); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	bootstrap := lost.Digest(numbered(9))

	expect("nothing recorded", nil)
	index.Put(id("alice"), admin("alice", ours.Digest(numbered(1)), lost.Digest(numbered(2))))
	index.Put(id("bob"), admin("bob", lost.Digest(numbered(3)), lost.Digest(numbered(4))))
	expect("two objects", map[string]int{lost.ActiveID(): 3})
	index.SetBootstrap(&bootstrap)
	expect("with the bootstrap key", map[string]int{lost.ActiveID(): 4})

	verifier.SetKeyring(lost)
	expect("the other pepper is in the keyring", map[string]int{ours.ActiveID(): 1})
	verifier.SetKeyring(ringOf(t, "q", "p"))
	expect("both are in the keyring", nil)
	verifier.SetKeyring(ours)
	expect("as before", map[string]int{lost.ActiveID(): 4})

	index.SetBootstrap(nil)
	index.Put(id("bob"), admin("bob", ours.Digest(numbered(3))))
	expect("a new digest", map[string]int{lost.ActiveID(): 1})
	index.Delete(id("alice"))
	index.Delete(id("alice"))
	expect("no object is left", nil)
}

// ringOf returns a keyring with a pepper for each letter. The first one is active.
func ringOf(t *testing.T, letters ...string) *pepper.Keyring {
	t.Helper()
	entries := map[string][]byte{}
	for i, letter := range letters {
		entries[map[bool]string{true: pepper.Active, false: letter}[i == 0]] = bytes.Repeat([]byte(letter), 32)
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
