package verify_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// fixture draws objects that often claim the same keys and usernames.
type fixture struct {
	presented []string
	digests   []pepper.Digest
}

func newFixture(tb testing.TB) *fixture {
	w, ring := &fixture{}, keyring(tb)
	for i := range uint64(8) {
		w.presented = append(w.presented, numbered(i))
		// Some are recorded in the plain form.
		form := 0
		if i >= 6 {
			form = ring.Len()
		}
		w.digests = append(w.digests, ring.Form(form, numbered(i)))
	}
	return w
}

var (
	usernames = rapid.SampledFrom([]string{"alice", "ALICE", "bob"})
	userIDs   = rapid.SampledFrom([]string{"id-1", "id-1", "id-2"})
	roleNames = rapid.SampledFrom([]string{"r1", "r2", "r3"})
	actions   = rapid.SampledFrom([]string{"certs.read", "certs.write"})
	// instants are at and around the ends of drawn keys.
	instants = []time.Time{now, now.Add(time.Second - time.Microsecond), now.Add(time.Second), now.Add(2 * time.Second)}

	standings = rapid.SampledFrom([]verify.Reason{verify.Accepted, verify.Accepted, verify.Disabled, verify.Deleted})
	maybeEnds = rapid.SampledFrom([]time.Time{{}, {}, {}, now, now.Add(time.Second)})
	maybeTTL  = rapid.SampledFrom([]time.Duration{0, 0, 0, time.Hour, time.Hour + time.Second})

	permissions = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) access.Permission {
		return access.Permission{
			Effect:    rapid.SampledFrom([]access.Effect{access.Allow, access.Allow, access.Deny}).Draw(t, "effect"),
			Actions:   []string{rapid.OneOf(actions, rapid.Just(access.Any)).Draw(t, "action")},
			Resources: []string{access.Any},
		}
	}), 0, 2)
	anyRights = rapid.Custom(func(t *rapid.T) access.Rights {
		return access.Rights{
			Scopes:      rapid.SliceOfN(actions, 0, 2).Draw(t, "scopes"),
			Roles:       rapid.SliceOfN(roleNames, 0, 2).Draw(t, "roles"),
			Permissions: permissions.Draw(t, "policy"),
		}
	})
	roles = rapid.Custom(func(t *rapid.T) access.Role {
		return access.Role{
			Permissions: permissions.Draw(t, "permissions"),
			MaxTTL:      maybeTTL.Draw(t, "maxTTL"),
		}
	})
	bindingNames = rapid.SampledFrom([]string{"b1", "b2", "b3"})
	bindings     = rapid.Custom(func(t *rapid.T) access.Binding {
		return access.Binding{
			Role:       roleNames.Draw(t, "role"),
			Users:      rapid.SliceOfNDistinct(usernames, 0, 2, rapid.ID).Draw(t, "users"),
			DeniesKeys: rapid.Bool().Draw(t, "denies keys"),
		}
	})
)

func drawID(t *rapid.T) verify.ID {
	return verify.ID{
		Kind:      rapid.SampledFrom([]string{"AdminUser", "APIKey"}).Draw(t, "kind"),
		Namespace: rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "namespace"),
		Name:      rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
	}
}

func (w *fixture) keyObject(t *rapid.T, id verify.ID) verify.KeyObject {
	name := usernames.Draw(t, "username")
	h := verify.KeyObject{
		Identity: verify.Identity{Username: name, Subject: "User/" + name},
		Standing: standings.Draw(t, "standing"),
		Created:  now.Add(time.Duration(rapid.IntRange(0, 2).Draw(t, "created")) * time.Second),
		UID:      fmt.Sprint(strings.ToLower(id.Name), id.Kind, id.Namespace, rapid.IntRange(0, 1).Draw(t, "generation")),
	}
	switch id.Kind {
	case "AdminUser":
		h.UserID = userIDs.Draw(t, "user id")
		h.Identity.Admin, h.OwnsUsername = true, true
		h.HoldsKeys = rapid.Bool().Draw(t, "holds keys")
		h.Disabled = rapid.Bool().Draw(t, "disabled")
		h.StaysIfLast = h.Standing == verify.Deleted && rapid.Bool().Draw(t, "stays")
	case "APIKey":
		h.Rights = new(anyRights.Draw(t, "rights"))
		h.UserID = rapid.OneOf(userIDs, rapid.Just("")).Draw(t, "owner")
		h.ExpiresAt, h.TTL = maybeEnds.Draw(t, "expires"), maybeTTL.Draw(t, "ttl")
		if rapid.IntRange(0, 3).Draw(t, "account") == 0 {
			h.Identity = verify.Identity{Subject: "Account/ci"}
		}
	}
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(w.digests)-1), 0, 4).Draw(t, "keys") {
		h.Keys = append(h.Keys, verify.Key{
			Digest: w.digests[i], IssuedAt: now.Add(-time.Hour), ExpiresAt: maybeEnds.Draw(t, "not after"),
			Pending:     rapid.IntRange(0, 3).Draw(t, "pending") == 0,
			Overlapping: rapid.IntRange(0, 3).Draw(t, "overlaps") == 0,
		})
	}
	return h
}

func (w *fixture) compare(t *rapid.T, verifier *verify.Verifier, index *verify.Index, m *model) {
	for i := range w.presented {
		for _, at := range instants {
			w.compareKey(t, verifier, m, i, at)
		}
	}
	if index.Len() != m.keys() {
		t.Fatalf("%d keys, want %d", index.Len(), m.keys())
	}
	for _, name := range []string{"alice", "ALICE", "aLiCe", "bob", "Bob", "user-0", "User-1", "dave", ""} {
		compareName(t, verifier, m, name)
	}
}

func compareName(t *rapid.T, verifier *verify.Verifier, m *model, name string) {
	spelling, disabled := verifier.Named(name)
	if want := m.isDisabled(name); disabled != want {
		t.Fatalf("%s is disabled: %t, want %t", name, disabled, want)
	}
	self, known := m.self(name)
	if known && spelling != self.Identity.Username || !known && spelling != name {
		t.Fatalf("%s is spelled %s", name, spelling)
	}
	if got := verifier.HasUser(name); got != known {
		t.Fatalf("%s has an AdminUser: %t, want %t", name, got, known)
	}
	if got, want := verifier.UserID(name), m.present(name); got != want {
		t.Fatalf("%s is user %q, want %q", name, got, want)
	}
	if got, want := verifier.OwnedKeys(name), m.ownedKeys(name); got != want {
		t.Fatalf("%d keys belong to %s, want %d", got, name, want)
	}
	isAdmin := known && self.Identity.Admin && m.standing(&self) == verify.Accepted
	if got := verifier.UserIsAdmin(name); got != isAdmin {
		t.Fatalf("%s is an admin: %t, want %t", name, got, isAdmin)
	}
	for _, action := range []string{"certs.read", "certs.write"} {
		request := access.Request{Action: action, Resource: "certificate:42"}
		if got, want := verifier.UserMay(name, request), m.userMay(name, request); got != want {
			t.Fatalf("%s may %s: %t, want %t", name, action, got, want)
		}
	}
}

func (w *fixture) compareKey(t *rapid.T, verifier *verify.Verifier, m *model, i int, at time.Time) {
	got := verifier.Verify(w.presented[i], at)
	reason, holder := m.verify(w.digests[i], at)
	if got.Reason != reason || got.Identity() != holder.Identity {
		t.Fatalf("key %d at %s: got %s %+v, want %s %+v", i, at, got.Reason, got.Identity(), reason, holder.Identity)
	}
	if known := reason != verify.Unknown; known != (got.KeyID() == w.digests[i].KeyID()) {
		t.Fatalf("key %d is %s and has id %q", i, reason, got.KeyID())
	}
	w.compareRecord(t, m, i, got)
	if again := verifier.VerifyDigest(&w.digests[i], at); again != got {
		t.Fatalf("key %d at %s: by digest %s, by key %s", i, at, again.Reason, got.Reason)
	}
	if end := m.endOf(w.digests[i], reason); !got.Ends().Equal(end) {
		t.Fatalf("key %d of %+v ends %s, want %s", i, holder, got.Ends(), end)
	}
	for _, action := range []string{"certs.read", "certs.write"} {
		request := access.Request{Action: action, Resource: "certificate:42"}
		want := reason == verify.Accepted && m.may(&holder, request)
		if may := verifier.May(got, request); may != want {
			t.Fatalf("key %d of %+v may %s: %t, want %t", i, holder, action, may, want)
		}
	}
	var scopes []string
	if reason == verify.Accepted && holder.Rights != nil {
		scopes = slices.DeleteFunc(slices.Clone(holder.Rights.Scopes), func(scope string) bool {
			return !m.may(&holder, access.Request{Action: scope, Resource: access.Any})
		})
	}
	if got := verifier.Scopes(got); !slices.Equal(got, scopes) {
		t.Fatalf("key %d of %+v may use %q, want %q", i, holder, got, scopes)
	}
}

// compareRecord compares the record of the key, even if the key is refused.
func (w *fixture) compareRecord(t *rapid.T, m *model, i int, got verify.Verdict) {
	holder, k, recorded := m.object(w.digests[i])
	if got.UID() != holder.UID || m.objects[got.ID()].UID != holder.UID {
		t.Fatalf("key %d is of %+v with uid %q, want %q", i, got.ID(), got.UID(), holder.UID)
	}
	if found := got.ID() != (verify.ID{}); found != recorded {
		t.Fatalf("key %d is recorded by %+v: want %t", i, got.ID(), recorded)
	}
	if digest := got.Digest(); recorded && *digest != w.digests[i] || !recorded && digest != nil {
		t.Fatalf("key %d has digest %v", i, digest)
	}
	if want := got.Identified() && !k.Overlapping; got.Current() != want {
		t.Fatalf("key %d of %+v is current: %t, want %t", i, holder, got.Current(), want)
	}
}

var lastStandings = rapid.SampledFrom([]verify.Reason{verify.Accepted, verify.Disabled, verify.Deleted, verify.Deleted})

func newModel() *model {
	return &model{
		objects: map[verify.ID]verify.KeyObject{}, roles: map[string]access.Role{}, bindings: map[string]access.Binding{},
	}
}

func TestIndex_AgreesWithModel(t *testing.T) {
	w, ring := newFixture(t), keyring(t)
	rapid.Check(t, func(t *rapid.T) {
		index, m := &verify.Index{}, newModel()
		verifier := verify.NewVerifier(index, format, ring)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				id := drawID(t)
				before := w.sessionKeys(m)
				m.objects[id] = w.keyObject(t, id)
				w.compareEnded(t, index.Put(id, m.objects[id]), before, m)
			},
			"put, something changed": func(t *rapid.T) {
				id := drawID(t)
				h, there := m.objects[id]
				if !there {
					return
				}
				other := w.keyObject(t, id)
				h.Standing, h.Disabled, h.StaysIfLast = other.Standing, other.Disabled, other.StaysIfLast
				before := w.sessionKeys(m)
				m.objects[id] = h
				w.compareEnded(t, index.Put(id, h), before, m)
			},
			"delete": func(t *rapid.T) {
				id := drawID(t)
				before := w.sessionKeys(m)
				delete(m.objects, id)
				w.compareEnded(t, index.Delete(id), before, m)
			},
			"replace": func(t *rapid.T) {
				of := drawID(t)
				namespace := rapid.SampledFrom([]string{"", of.Namespace}).Draw(t, "in")
				concerned := func(id verify.ID) bool {
					return id.Kind == of.Kind && (namespace == "" || id.Namespace == namespace)
				}
				all := map[verify.ID]verify.KeyObject{}
				for range rapid.IntRange(0, 4).Draw(t, "objects") {
					if id := drawID(t); concerned(id) {
						all[id] = w.keyObject(t, id)
					}
				}
				before := w.sessionKeys(m)
				maps.DeleteFunc(m.objects, func(id verify.ID, _ verify.KeyObject) bool { return concerned(id) })
				maps.Copy(m.objects, all)
				w.includeEnded(t, index.Replace(of.Kind, namespace, maps.All(all)), before, m)
			},
			"put role": func(t *rapid.T) {
				name := roleNames.Draw(t, "role")
				m.roles[name] = roles.Draw(t, "content")
				index.PutRole(name, m.roles[name])
			},
			"delete role": func(t *rapid.T) {
				name := roleNames.Draw(t, "role")
				delete(m.roles, name)
				index.DeleteRole(name)
			},
			"replace roles": func(t *rapid.T) {
				m.roles = rapid.MapOfN(roleNames, roles, 0, 3).Draw(t, "roles")
				index.ReplaceRoles(m.roles)
			},
			"set limits": func(t *rapid.T) {
				m.limits = lifecycle.Limits{MaxTTL: maybeTTL.Draw(t, "max"), DefaultTTL: maybeTTL.Draw(t, "default")}
				index.SetLimits(m.limits)
			},
			"put binding": func(t *rapid.T) {
				name := bindingNames.Draw(t, "binding")
				m.bindings[name] = bindings.Draw(t, "content")
				index.PutBinding(name, m.bindings[name])
			},
			"delete binding": func(t *rapid.T) {
				name := bindingNames.Draw(t, "binding")
				delete(m.bindings, name)
				index.DeleteBinding(name)
			},
			"replace bindings": func(t *rapid.T) {
				m.bindings = rapid.MapOfN(bindingNames, bindings, 0, 3).Draw(t, "bindings")
				index.ReplaceBindings(m.bindings)
			},
			"": func(t *rapid.T) { w.compare(t, verifier, index, m) },
		})
	})
}

// Three admins without rivals, each with a key, and an API key of the first one. Unlike in the larger test
// there is often no active admin.
func TestIndex_AgreesWithModelOfLastAdmins(t *testing.T) {
	w, ring := newFixture(t), keyring(t)
	rapid.Check(t, func(t *rapid.T) {
		index, m := &verify.Index{}, newModel()
		verifier := verify.NewVerifier(index, format, ring)
		put := func(id verify.ID, h verify.KeyObject) {
			m.objects[id] = h
			index.Put(id, h)
			w.compare(t, verifier, index, m)
		}
		own := admin("user-0", w.digests[3])
		own.OwnsUsername, own.Rights, own.UID = false, &access.Rights{Scopes: []string{"certs.read"}}, "own"
		put(verify.ID{Kind: "APIKey", Name: "own"}, own)
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				i := rapid.IntRange(0, 2).Draw(t, "admin")
				h := admin(fmt.Sprint("user-", i), w.digests[i])
				h.Standing = lastStandings.Draw(t, "standing")
				h.Disabled = h.Standing == verify.Disabled || rapid.IntRange(0, 5).Draw(t, "disabled") == 0
				h.StaysIfLast = h.Standing == verify.Deleted && rapid.Bool().Draw(t, "stays")
				if rapid.IntRange(0, 5).Draw(t, "without key") == 0 {
					h.Keys = nil
				}
				put(id(h.Identity.Username), h)
			},
			"rival": func(*rapid.T) {
				h := admin("USER-1", w.digests[4])
				h.Created = h.Created.Add(-time.Second)
				put(id("rival"), h)
			},
			"delete": func(t *rapid.T) {
				gone := id(rapid.SampledFrom([]string{"user-0", "user-1", "user-2", "rival"}).Draw(t, "admin"))
				delete(m.objects, gone)
				index.Delete(gone)
				w.compare(t, verifier, index, m)
			},
		})
	})
}
