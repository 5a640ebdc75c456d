package verify_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

func apiKeyID(name string) verify.ID {
	return verify.ID{Kind: "APIKey", Namespace: "team", Name: name}
}

// reader is a role that may read certificates.
func reader() access.Role {
	return access.Role{Permissions: []access.Permission{access.Scope("certs.read")}}
}

// bind puts a role and a binding of the same name, which gives it to users.
func bind(index *verify.Index, name string, role access.Role, users ...string) {
	index.PutRole(name, role)
	index.PutBinding(name, access.Binding{Role: name, Users: users})
}

// apiKey returns an API key of a user, issued now.
func apiKey(user string, rights access.Rights, digests ...pepper.Digest) verify.KeyObject {
	h := verify.KeyObject{
		Identity: verify.Identity{Username: user, Subject: "User/" + user},
		Standing: verify.Accepted, Created: now.AddDate(0, -1, 0), UID: "uid-of-a-key-of-" + user, Rights: &rights,
	}
	for _, d := range digests {
		h.Keys = append(h.Keys, verify.Key{Digest: d, IssuedAt: now})
	}
	return h
}

func TestVerify_APIKeyEndsAtItsEarliestEnd(t *testing.T) {
	month := access.Role{MaxTTL: 30 * 24 * time.Hour}
	for name, c := range map[string]struct {
		change func(*verify.KeyObject)
		want   time.Time
	}{
		"expiresAt": {func(h *verify.KeyObject) { h.ExpiresAt = now.Add(time.Minute) }, now.Add(time.Minute)},
		"ttl":       {func(h *verify.KeyObject) { h.TTL = 90 * time.Second }, now.Add(90 * time.Second)},
		"role":      {func(h *verify.KeyObject) { h.Rights.Roles = []string{"month"} }, now.Add(month.MaxTTL)},
		"several roles": {func(h *verify.KeyObject) {
			h.Rights.Roles = []string{"month", "hour", "none"}
		}, now.Add(time.Hour)},
		"recorded":       {func(h *verify.KeyObject) { h.Keys[0].ExpiresAt = now.Add(time.Second) }, now.Add(time.Second)},
		"all, recorded":  {allEnds(time.Second, 2*time.Second, 3*time.Second), now.Add(time.Second)},
		"all, expiresAt": {allEnds(3*time.Second, time.Second, 2*time.Second), now.Add(time.Second)},
		"all, ttl":       {allEnds(3*time.Second, 2*time.Second, time.Second), now.Add(time.Second)},
		"in far years": {func(h *verify.KeyObject) {
			h.Keys[0].IssuedAt, h.TTL = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64
		}, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC).Add(math.MaxInt64).Truncate(time.Microsecond)},
	} {
		t.Run(name, func(t *testing.T) {
			ring, index := keyring(t), &verify.Index{}
			index.ReplaceRoles(map[string]access.Role{"month": month, "hour": {MaxTTL: time.Hour}, "none": {}})
			h := apiKey("alice", access.Rights{}, ring.Digest(numbered(1)))
			c.change(&h)
			index.Put(apiKeyID("ci"), h)
			verifier := verify.NewVerifier(index, format, ring)
			wantReason(t, verifier.Verify(numbered(1), c.want.Add(-time.Microsecond)), verify.Accepted)
			wantReason(t, verifier.Verify(numbered(1), c.want), verify.Expired)
		})
	}
}

func allEnds(recorded, expires, ttl time.Duration) func(*verify.KeyObject) {
	return func(h *verify.KeyObject) {
		h.Keys[0].ExpiresAt, h.ExpiresAt, h.TTL, h.Rights.Roles = now.Add(recorded), now.Add(expires), ttl, []string{"hour"}
	}
}

// The CRDs reject such times. Nothing may panic, and no end may be lost.
func TestVerify_TimesOutOfRange(t *testing.T) {
	for _, issued := range []time.Time{{}, time.Unix(math.MaxInt64, 0), time.Unix(math.MinInt64, 0)} {
		ring, index := keyring(t), &verify.Index{}
		h := apiKey("alice", access.Rights{}, ring.Digest(numbered(1)))
		h.Keys[0].IssuedAt, h.TTL, h.ExpiresAt = issued, math.MaxInt64, now
		index.Put(apiKeyID("ci"), h)
		wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(1), now), verify.Expired)
	}
	ring, index := keyring(t), &verify.Index{}
	h := apiKey("alice", access.Rights{}, ring.Digest(numbered(1)))
	h.Keys[0].IssuedAt, h.TTL = time.Time{}, time.Hour
	index.Put(apiKeyID("ci"), h)
	wantReason(t, verify.NewVerifier(index, format, ring).Verify(numbered(1), now), verify.Expired)
}

func TestVerify_AppliesMaxTTLOfRoles(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier, later := verify.NewVerifier(index, format, ring), now.Add(time.Hour)
	index.PutRole("short", access.Role{})
	index.Put(apiKeyID("ci"), apiKey("alice", access.Rights{Roles: []string{"short"}}, ring.Digest(numbered(1))))
	wantReason(t, verifier.Verify(numbered(1), later), verify.Accepted)
	index.PutRole("short", access.Role{MaxTTL: time.Hour})
	wantReason(t, verifier.Verify(numbered(1), later), verify.Expired)
	index.PutRole("short", access.Role{MaxTTL: 2 * time.Hour})
	wantReason(t, verifier.Verify(numbered(1), later), verify.Accepted)
	index.PutRole("short", access.Role{MaxTTL: time.Minute})
	wantReason(t, verifier.Verify(numbered(1), later), verify.Expired)
	index.DeleteRole("short")
	wantReason(t, verifier.Verify(numbered(1), later), verify.UnknownRole)
}

// A missing role may deny what the rest of the key's rights allow. So the key may do nothing until the role exists.
// Members of the role only lose what it gave them.
func TestVerify_KeyWithMissingRoleMayDoNothing(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	request := access.Request{Action: "certs.read", Resource: "certificate:42"}
	named := apiKey("alice", access.Rights{Scopes: []string{"certs.read"}, Roles: []string{"limits"}},
		ring.Digest(numbered(1)))
	named.Keys[0].ExpiresAt = now.Add(time.Hour)
	account := apiKey("", *named.Rights, ring.Digest(numbered(2)))
	account.Identity = verify.Identity{Subject: "Account/ci"}
	bound := apiKey("bob", access.Rights{Scopes: []string{"certs.read"}}, ring.Digest(numbered(3)))
	bind(index, "reader", reader(), "bob")
	index.PutBinding("limits", access.Binding{Role: "limits", Users: []string{"bob"}})
	index.Put(id("alice"), admin("alice"))
	keys := map[verify.ID]verify.KeyObject{apiKeyID("1"): named, apiKeyID("2"): account, apiKeyID("3"): bound}
	var ended []pepper.Digest
	expect := func(what string, reason verify.Reason, may, boundMay bool) {
		t.Helper()
		for number, want := range map[uint64]bool{1: may, 2: may, 3: boundMay} {
			v, wanted := verifier.Verify(numbered(number), now), reason
			if number == 3 {
				wanted = verify.Accepted
			}
			if v.Reason != wanted || !v.Identified() || v.Identity().Subject == "" || !v.Current() {
				t.Errorf("%s: key %d is %s and speaks as %q", what, number, v.Reason, v.Identity().Subject)
			}
			if verifier.May(v, request) != want || (len(verifier.Scopes(v)) > 0) != want ||
				verifier.MayDelegate(v, &access.Rights{}, "") != (v.Accepted()) {
				t.Errorf("%s: key %d may use its rights: %t, want %t", what, number, !want, want)
			}
		}
		if v := verifier.Verify(numbered(1), now); !v.Ends().Equal(now.Add(time.Hour)) {
			t.Errorf("%s: the key ends at %s", what, v.Ends())
		}
		wantReason(t, verifier.Verify(numbered(1), now.Add(time.Hour)), verify.Expired)
		if len(ended) > 0 {
			t.Errorf("%s: ended %v", what, ended)
		}
	}
	for id, k := range keys {
		index.Put(id, k)
	}
	expect("no such role yet", verify.UnknownRole, false, true)
	index.PutRole("limits", access.Role{})
	expect("the role exists", verify.Accepted, true, true)
	deny := access.Permission{Effect: access.Deny, Actions: []string{access.Any}, Resources: []string{access.Any}}
	index.PutRole("limits", access.Role{Permissions: []access.Permission{deny}})
	expect("the role denies", verify.Accepted, false, false)
	admitted := verifier.Verify(numbered(1), now)
	index.DeleteRole("limits")
	expect("the role is deleted", verify.UnknownRole, false, true)
	if verifier.May(admitted, request) {
		t.Error("a key that was verified before the deletion may use its rights")
	}
	index.ReplaceRoles(map[string]access.Role{"limits": {}, "reader": reader()})
	expect("all roles are listed", verify.Accepted, true, true)
	more := named
	more.Rights = &access.Rights{Scopes: []string{"certs.read"}, Roles: []string{"limits", "typo"}}
	ended = index.Put(apiKeyID("1"), more)
	if v := verifier.Verify(numbered(1), now); v.Reason != verify.UnknownRole || len(ended) > 0 {
		t.Errorf("with one more role: %s, ended %v", v.Reason, ended)
	}
	index.Put(apiKeyID("1"), named)
	index.ReplaceRoles(map[string]access.Role{"reader": reader()})
	expect("the role is not listed", verify.UnknownRole, false, true)
}

// Neither an end long ago nor a missing end hides that a role is missing, or the other way round.
func TestVerify_MissingRoleAtTheEdgesOfTime(t *testing.T) {
	for name, c := range map[string]struct {
		expires time.Time
		want    verify.Reason
	}{
		"no end": {time.Time{}, verify.UnknownRole}, "1970": {time.UnixMicro(1), verify.Expired},
		"before 1970": {time.Unix(-1, 0), verify.Expired}, "now": {now, verify.Expired},
		"9999": {time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), verify.UnknownRole},
	} {
		ring, index := keyring(t), &verify.Index{}
		h := apiKey("alice", access.Rights{Roles: []string{"missing"}}, ring.Digest(numbered(1)))
		h.ExpiresAt = c.expires
		index.Put(apiKeyID("ci"), h)
		v := verify.NewVerifier(index, format, ring).Verify(numbered(1), now)
		if v.Reason != c.want || v.Identified() && !v.Ends().Equal(c.expires) {
			t.Errorf("%s: %s until %s", name, v.Reason, v.Ends())
		}
	}
}

func TestVerify_APIKeyDependsOnItsOwner(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	request := access.Request{Action: "certs.read", Resource: "certificate:42"}
	index.Put(apiKeyID("alices"), apiKey("alice", access.Rights{Scopes: []string{"certs.read"}}, ring.Digest(numbered(1))))
	expect := func(what string, reason verify.Reason, may bool) {
		t.Helper()
		v := verifier.Verify(numbered(1), now)
		if v.Reason != reason || verifier.May(v, request) != may || v.Identity().Admin {
			t.Errorf("%s: %s, allowed %t; want %s, allowed %t", what, v.Reason, verifier.May(v, request), reason, may)
		}
	}
	expect("no such user", verify.Accepted, false)
	self := admin("alice", ring.Digest(numbered(2)))
	index.Put(id("alice"), self)
	expect("an admin", verify.Accepted, true)
	self.Standing = verify.Demoted
	index.Put(id("alice"), self)
	expect("demoted", verify.Accepted, false)
	self.Standing, self.Disabled = verify.Disabled, true
	index.Put(id("alice"), self)
	expect("disabled", verify.OwnerDisabled, false)
	self.Standing = verify.Deleted
	index.Put(id("alice"), self)
	expect("disabled, being deleted", verify.OwnerDisabled, false)

	rival := admin("ALICE", ring.Digest(numbered(3)))
	rival.Created = self.Created.Add(-time.Hour)
	index.Put(id("rival"), rival)
	expect("a rival has the username", verify.Accepted, true)
	index.Delete(id("rival"))
	expect("the rival is deleted", verify.OwnerDisabled, false)
	index.Delete(id("alice"))
	expect("deleted", verify.Accepted, false)

	binding := access.Binding{Role: "reader", Users: []string{"alice"}}
	index.PutBinding("readers", binding)
	expect("bound to a missing role", verify.Accepted, false)
	index.PutRole("reader", reader())
	expect("bound to a role", verify.Accepted, true)
	binding.DeniesKeys = true
	index.PutBinding("readers", binding)
	expect("the only binding denies keys", verify.OwnerDenied, false)
	owners := access.Binding{Role: "owner", Users: []string{"alice"}}
	index.PutBinding("owners", owners)
	expect("another binding allows keys, of a missing role", verify.Accepted, true)
	index.DeleteBinding("owners")
	expect("the binding that allowed keys is deleted", verify.OwnerDenied, false)
	index.DeleteRole("reader")
	expect("the role of the binding that denies keys is deleted", verify.OwnerDenied, false)
	index.PutRole("reader", reader())
	index.PutBinding("more-readers", access.Binding{Role: "reader", Users: []string{"alice"}})
	expect("another binding of the same role allows keys", verify.Accepted, true)
	index.DeleteBinding("readers")
	expect("one of two bindings of the role is deleted", verify.Accepted, true)
	index.DeleteBinding("more-readers")
	expect("both bindings of the role are deleted", verify.Accepted, false)
	index.ReplaceBindings(map[string]access.Binding{"readers": {Role: "reader", Users: []string{"Alice"}}})
	expect("users are matched whatever the case", verify.Accepted, true)
	index.ReplaceBindings(nil)
	expect("no bindings", verify.Accepted, false)
	index.ReplaceBindings(map[string]access.Binding{"readers": {Role: "reader", Users: []string{"bob", "alice"}}})
	expect("bound with another user", verify.Accepted, true)
}

func TestScopes_ReturnsUsableScopes(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	deny := access.Permission{Effect: access.Deny, Actions: []string{"keys.read"}, Resources: []string{access.Any}}
	rights := access.Rights{
		Scopes:      []string{"certs.read", "certs.write", "keys.read"},
		Permissions: []access.Permission{deny},
	}
	account := apiKey("", rights, ring.Digest(numbered(1)))
	account.Identity = verify.Identity{Subject: "Account/ci"}
	index.Put(apiKeyID("accounts"), account)
	index.Put(apiKeyID("alices"), apiKey("alice", rights, ring.Digest(numbered(2))))
	index.Put(id("bob"), admin("bob", ring.Digest(numbered(3))))
	bind(index, "writer", access.Role{Permissions: []access.Permission{access.Scope("certs.write")}}, "alice")
	for number, want := range map[uint64][]string{
		1: {"certs.read", "certs.write"}, 2: {"certs.write"}, 3: nil, 4: nil,
	} {
		if got := verifier.Scopes(verifier.Verify(numbered(number), now)); !slices.Equal(got, want) {
			t.Errorf("key %d: %q, want %q", number, got, want)
		}
	}
	if len(rights.Scopes) != 3 || rights.Scopes[2] != "keys.read" {
		t.Error("the given scopes have changed: ", rights.Scopes)
	}
}

// The scopes are read after each change, so that a cached result would be found.
func TestScopes_FollowBindings(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	rights := access.Rights{Scopes: []string{"certs.read"}}
	index.Put(apiKeyID("alices"), apiKey("alice", rights, ring.Digest(numbered(1))))
	v := verifier.Verify(numbered(1), now)
	binding := access.Binding{Role: "reader", Users: []string{"alice"}}
	for _, step := range []struct {
		what   string
		change func()
		want   []string
	}{
		{"a role", func() { index.PutRole("reader", reader()) }, nil},
		{"a binding", func() { index.PutBinding("readers", binding) }, rights.Scopes},
		{"the role is deleted", func() { index.DeleteRole("reader") }, nil},
		{"the role is back", func() { index.PutRole("reader", reader()) }, rights.Scopes},
		{"the binding is deleted", func() { index.DeleteBinding("readers") }, nil},
		{"all bindings", func() { index.ReplaceBindings(map[string]access.Binding{"b": binding}) }, rights.Scopes},
		{"no bindings", func() { index.ReplaceBindings(nil) }, nil},
	} {
		step.change()
		for range 2 {
			if got := verifier.Scopes(v); !slices.Equal(got, step.want) {
				t.Errorf("%s: %q, want %q", step.what, got, step.want)
			}
		}
	}
}

func TestMay_RefusedKeyMayNothing(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	h := admin("alice", ring.Digest(numbered(1)))
	h.Standing = verify.Disabled
	index.Put(id("alice"), h)
	for _, presented := range []string{numbered(1), numbered(2), ""} {
		v := verifier.Verify(presented, now)
		may := verifier.May(v, access.Request{Action: "certs.read", Resource: "*"})
		if may || v.Rights() == nil || len(verifier.Scopes(v)) > 0 {
			t.Errorf("a key that is %s has rights", v.Reason)
		}
	}
}

func TestVerify_OlderObjectWinsWhateverItsKind(t *testing.T) {
	for _, olderKind := range []string{"AdminUser", "APIKey"} {
		ring, index := keyring(t), &verify.Index{}
		verifier := verify.NewVerifier(index, format, ring)
		user, key := admin("alice", ring.Digest(numbered(1))), apiKey("bob", access.Rights{}, ring.Digest(numbered(1)))
		offset := map[string]time.Duration{"AdminUser": time.Second, "APIKey": -time.Second}
		user.Created, key.Created = now, now.Add(offset[olderKind])
		subject := map[string]string{"AdminUser": "User/alice", "APIKey": "User/bob"}
		for range 2 {
			index.Put(apiKeyID("bobs"), key)
			index.Put(id("alice"), user)
			v := verifier.Verify(numbered(1), now)
			if v.Identity().Subject != subject[olderKind] || v.Identity().Admin != (olderKind == "AdminUser") {
				t.Errorf("older: %s, speaks as %+v", olderKind, v.Identity())
			}
			index.Delete(id("alice"))
			if v := verifier.Verify(numbered(1), now); v.Identity().Subject != "User/bob" {
				t.Errorf("after the other was deleted: speaks as %+v", v.Identity())
			}
		}
	}
}

// Attaching and detaching an object takes constant time, however many objects its user has.
func TestIndex_ManyObjectsOfOneUser(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	const many = 20_000
	for i := range uint64(many) {
		index.Put(apiKeyID(fmt.Sprint(i)), apiKey("alice", access.Rights{}, ring.Digest(numbered(i))))
	}
	off := admin("alice")
	off.Standing, off.Disabled = verify.Disabled, true
	index.Put(id("alice"), off)
	wantReason(t, verifier.Verify(numbered(many-1), now), verify.OwnerDisabled)
	for i := range uint64(many) {
		index.Delete(apiKeyID(fmt.Sprint(i)))
	}
	if index.Len() != 0 {
		t.Errorf("%d keys left", index.Len())
	}
}
