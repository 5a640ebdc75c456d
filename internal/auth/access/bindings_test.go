package access_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
)

// A user holds the permissions of the role of every binding that lists them.
func TestHeldBy_SumsAllBindings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, r := draw(t), requests.Draw(t, "request")
		var sum access.Grant
		for _, b := range d.bindings {
			if slices.Contains(b.Users, "alice") {
				sum.Permissions = append(sum.Permissions, d.roles[b.Role].Permissions...)
			}
		}
		if got := access.May(d.compiled().HeldBy("alice"), nil, r); got != access.May(sum, nil, r) {
			t.Fatalf("got %t", got)
		}
	})
}

// A user may own keys unless every binding that lists them denies it, whether or not its role exists.
func TestMayOwnKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		listed, allowed := false, false
		for _, b := range d.bindings {
			if slices.Contains(b.Users, "alice") {
				listed, allowed = true, allowed || !b.DeniesKeys
			}
		}
		if got := d.compiled().MayOwnKeys("alice"); got != (!listed || allowed) {
			t.Fatalf("got %t", got)
		}
	})
}

func TestBinding_OfMissingRole(t *testing.T) {
	read := access.Request{Action: "certs.read", Resource: "certificate:42"}
	denying := access.Binding{Role: "gone", Users: []string{"alice"}, DeniesKeys: true}
	allowing := access.Binding{Role: "gone", Users: []string{"alice"}}
	ofBob := access.Binding{Role: "gone", Users: []string{"bob"}, DeniesKeys: true}
	for name, c := range map[string]struct {
		bindings map[string]access.Binding
		keys     bool
	}{
		"Denied denies":         {map[string]access.Binding{"a": denying}, false},
		"Allowed allows":        {map[string]access.Binding{"a": allowing}, true},
		"one Allowed is enough": {map[string]access.Binding{"a": denying, "b": allowing}, true},
		"of another user":       {map[string]access.Binding{"a": ofBob}, true},
	} {
		roles := access.NewRoles(nil, c.bindings)
		if access.May(roles.HeldBy("alice"), nil, read) {
			t.Errorf("%s: a missing role gives permissions", name)
		}
		if got := roles.MayOwnKeys("alice"); got != c.keys {
			t.Errorf("%s: may own keys: %t", name, got)
		}
	}
}

// Whatever the order of changes of roles and bindings, the result is that of all of them at once, and earlier sets stay
// as they were.
func TestRoles_ChangesAgreeWithNewRoles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var roles *access.Roles
		d := drawn{map[string]access.Role{}, map[string]access.Binding{}}
		t.Repeat(map[string]func(*rapid.T){
			"roles": func(t *rapid.T) {
				d.roles = roleSets.Draw(t, "roles")
				roles = roles.WithRoles(d.roles)
			},
			"binding": func(t *rapid.T) {
				name := bindingNames.Draw(t, "name")
				var before, after *access.Binding
				if b, exists := d.bindings[name]; exists {
					before = &b
				}
				earlier, was := roles, describe(roles)
				if rapid.Bool().Draw(t, "stays") {
					after = new(someBinding.Draw(t, "binding"))
				}
				roles = roles.WithBinding(before, after)
				d.bindings = maps.Clone(d.bindings)
				delete(d.bindings, name)
				if after != nil {
					d.bindings[name] = *after
				}
				if is := describe(earlier); is != was {
					t.Fatalf("the earlier set was %v and is %v", was, is)
				}
			},
			"": func(t *rapid.T) {
				if got, want := describe(roles), describe(d.compiled()); got != want {
					t.Fatalf("%v, want %v of %+v", got, want, d)
				}
			},
		})
	})
}

// describe returns what alice and bob hold.
func describe(roles *access.Roles) (all [2]struct{ a, b, keys bool }) {
	for i, user := range []string{"alice", "bob"} {
		held := roles.HeldBy(user)
		all[i].a = access.May(held, nil, access.Request{Action: "a", Resource: "c"})
		all[i].b = access.May(held, nil, access.Request{Action: "b", Resource: "c"})
		all[i].keys = roles.MayOwnKeys(user)
	}
	return all
}
