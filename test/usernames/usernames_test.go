package usernames

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/routes"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/config"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/seenusers"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/test/fakeobjects"
)

// presented is the key of the user under test.
const presented = "the-key-of-the-user-of-this-test"

// env is a server in memory.
type env struct {
	*fakeobjects.Fixture
	keys *apikeys.Service
	t    *testing.T
	// written is how objects and settings write the name, and asked how keys and requests do.
	written, asked string
}

func newEnv(t *testing.T, written, asked string) *env {
	f := fakeobjects.NewFixture(t)
	service := apikeys.New(apikeys.Config{
		Gate: f.Gate, Verifier: f.Verifier, Store: f.Store, Uses: f.Uses, Trail: f.Trail,
		Account: func() string { return "default" }, Actions: func() []string { return nil }, Now: f.Time, Log: f.Logger(),
	})
	return &env{f, service, t, written, asked}
}

// key gives the asked user an APIKey that may do everything that the user may do.
func (e *env) key() verify.Verdict {
	e.keyOf(e.asked)
	return e.verdict()
}

func (e *env) keyOf(name string, change ...func(*v1alpha1.APIKey)) {
	e.PutKey("of-the-user", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: name}, presented, func(k *v1alpha1.APIKey) {
		k.Spec.Policy = &v1alpha1.Policy{Permissions: []v1alpha1.Permission{{
			Effect: v1alpha1.EffectAllow, Actions: []v1alpha1.Action{"*"}, Resources: []v1alpha1.Resource{"*"},
		}}}
		for _, c := range change {
			c(k)
		}
	})
}

func (e *env) verdict() verify.Verdict { return e.Verifier.Verify(presented, e.Time()) }

// adminUser adds an AdminUser of the written name.
func (e *env) adminUser(state v1alpha1.State) {
	e.PutUser(v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: e.written, State: state}}, "its-own-key-0000")
}

func (e *env) bind(apiKeys v1alpha1.KeyOwnership, p ...v1alpha1.Permission) {
	role := &v1alpha1.AccessRole{Spec: v1alpha1.AccessRoleSpec{Permissions: p}}
	role.Name = "written"
	e.PutRole(role)
	e.Bind("written", e.written, apiKeys)
}

func permission(effect v1alpha1.Effect, resource string) v1alpha1.Permission {
	return v1alpha1.Permission{
		Effect: effect, Actions: []v1alpha1.Action{"*"}, Resources: []v1alpha1.Resource{v1alpha1.Resource(resource)},
	}
}

// decide sends a request with these settings: with the key of the user, or with the name from a proxy.
func (e *env) decide(byKey bool, method string, settings config.Runtime) gate.Decision {
	header := http.Header{"X-Forwarded-User": {e.asked}}
	if byKey {
		e.key()
		header = http.Header{"Authorization": {"Bearer " + presented}}
	}
	settings.TrustProxyHeaders = true
	e.Configure(e.t, settings)
	return e.Gate.Decide(&gate.Request{Method: method, Host: "h", Target: "/users/" + e.written + "/x", Header: header})
}

func owned() config.Runtime {
	return config.Runtime{Routes: []routes.Route{{Match: "/users/{user}/x", Owner: "{user}"}}}
}

// caller is the user, named by a proxy, or by the key.
func (e *env) caller(byKey bool) manage.Caller {
	e.Configure(e.t, config.Runtime{TrustProxyHeaders: true})
	if byKey {
		return manage.Caller{Caller: e.Bearer(presented)}
	}
	return manage.Caller{Caller: e.Caller(http.Header{"X-Forwarded-User": {e.asked}})}
}

// keysOfWritten lists the keys of the written name.
func (e *env) keysOfWritten(caller manage.Caller) (*apikeys.Page, error) {
	subject := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: e.written}
	return e.keys.List(e.t.Context(), caller, subject, func() (*apikeys.Query, error) { return &apikeys.Query{}, nil })
}

var readAny = access.Request{Action: "certs.read", Resource: "certificate:1"}

// places are the places that compare the name that an object or a setting has with the one of a key or a request. Each
// reports whether it takes them for one user. A new place goes in here.
var places = map[string]func(*env) bool{
	// Granting and denying.
	"a binding gives a role to a key": func(e *env) bool {
		v := e.key()
		e.bind(v1alpha1.KeysAllowed, permission(v1alpha1.EffectAllow, "*"))
		return e.Verifier.May(v, readAny)
	},
	"a binding that came before the key": func(e *env) bool {
		e.bind(v1alpha1.KeysAllowed, permission(v1alpha1.EffectAllow, "*"))
		return e.Verifier.May(e.key(), readAny)
	},
	"a binding gives a role to a name": func(e *env) bool {
		e.bind(v1alpha1.KeysAllowed, permission(v1alpha1.EffectAllow, "*"))
		return e.Verifier.UserMay(e.asked, readAny)
	},
	"a binding gives a role that denies": func(e *env) bool {
		e.bind(v1alpha1.KeysAllowed, permission(v1alpha1.EffectDeny, "*"))
		return e.Verifier.UserIsDenied(e.asked, readAny)
	},
	"a binding denies keys": func(e *env) bool {
		e.bind(v1alpha1.KeysDenied)
		return e.key().Reason == verify.OwnerDenied && !e.Verifier.MayOwnKeys(e.asked)
	},
	"a binding denies new keys": func(e *env) bool {
		e.bind(v1alpha1.KeysDenied)
		subject := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: e.asked}
		admin := manage.Caller{Caller: e.Bearer(fakeobjects.AliceKey)}
		_, err := e.keys.Create(e.t.Context(), admin, subject, func() (*apikeys.Wanted, error) {
			return &apikeys.Wanted{Name: "new"}, nil
		})
		return manage.Is(err, manage.Forbidden)
	},
	"an admin's keys have no limit": func(e *env) bool {
		v := e.key()
		e.adminUser(v1alpha1.StateActive)
		return e.Verifier.May(v, readAny) && e.Verifier.UserIsAdmin(e.asked)
	},

	// Disabling.
	"a disabled AdminUser refuses an APIKey": func(e *env) bool {
		e.key()
		e.adminUser(v1alpha1.StateDisabled)
		_, disabled := e.Verifier.Named(e.asked)
		return e.verdict().Reason == verify.OwnerDisabled && disabled
	},
	"a disabled AdminUser refuses a later APIKey": func(e *env) bool {
		e.adminUser(v1alpha1.StateDisabled)
		return e.key().Reason == verify.OwnerDisabled
	},
	"a disabled AdminUser refuses a name": func(e *env) bool {
		e.adminUser(v1alpha1.StateDisabled)
		d := e.decide(false, "GET", config.Runtime{})
		return d.Outcome == gate.Unauthenticated
	},
	"a key belongs to an AdminUser": func(e *env) bool {
		e.adminUser(v1alpha1.StateActive)
		id := e.Verifier.UserID(e.asked)
		e.keyOf(e.asked, func(k *v1alpha1.APIKey) { k.Status.Owner = &v1alpha1.KeyOwner{ID: "uid-1"} })
		return id == "uid-1" && e.verdict().Accepted() && e.Verifier.OwnedKeys(e.written) == 1
	},
	"the operator finds the owner": func(e *env) bool {
		return operatorFinds(e.t, e.written, e.asked)
	},

	// Listing and owning.
	"a key renews itself": func(e *env) bool {
		e.bind(v1alpha1.KeysAllowed, permission(v1alpha1.EffectAllow, "*"))
		e.keyOf(e.asked, func(k *v1alpha1.APIKey) {
			k.Spec.Policy, k.Spec.Scopes = nil, []v1alpha1.Scope{apikeys.ActionRenewSelf}
			k.Spec.Delivery = v1alpha1.DeliveryResponse
			k.Labels = map[string]string{v1alpha1.LabelCreatedBy: v1alpha1.CreatedByAPI}
		})
		subject := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: e.written}
		caller := manage.Caller{Caller: e.Bearer(presented)}
		_, err := e.keys.Rotate(e.t.Context(), caller, subject, caller.KeyObjectUID(), func() (*apikeys.Rotation, error) {
			return &apikeys.Rotation{}, nil
		})
		return err == nil
	},
	"the allow list, by key": func(e *env) bool {
		return e.decide(true, "POST", config.Runtime{AllowedUsers: []string{e.written}}).Outcome == gate.Allowed
	},
	"the allow list, by name": func(e *env) bool {
		return e.decide(false, "POST", config.Runtime{AllowedUsers: []string{e.written}}).Outcome == gate.Allowed
	},
	"the allow list, by subject": func(e *env) bool {
		return e.decide(true, "POST", config.Runtime{AllowedUsers: []string{"User/" + e.written}}).Outcome == gate.Allowed
	},
	"the owner of a route, by key": func(e *env) bool {
		d := e.decide(true, "GET", owned())
		return d.Outcome == gate.Allowed
	},
	"the owner of a route, by name": func(e *env) bool {
		d := e.decide(false, "GET", owned())
		return d.Outcome == gate.Allowed
	},
	"one's own keys, by name": func(e *env) bool {
		e.keyOf(e.written)
		page, err := e.keysOfWritten(e.caller(false))
		return err == nil && page.Total == 1
	},
	"one's own keys, by key": func(e *env) bool {
		e.key()
		e.bind(v1alpha1.KeysAllowed, permission(v1alpha1.EffectAllow, "*"))
		page, err := e.keysOfWritten(e.caller(true))
		return err == nil && page.Total == 1
	},
	"the list of a user's keys": func(e *env) bool {
		e.keyOf(e.asked)
		page, err := e.keysOfWritten(manage.Caller{Caller: e.Bearer(fakeobjects.AliceKey)})
		return err == nil && page.Total == 1 && slices.Contains(e.Verifier.Spellings(e.written), e.asked)
	},
	"a DENY on a user's keys": func(e *env) bool {
		r := access.Request{Action: "apikeys.read", Resource: "user:" + e.asked, OfUser: true}
		e.bind(v1alpha1.KeysAllowed, permission(v1alpha1.EffectDeny, "user:"+e.written))
		return e.Verifier.UserIsDenied(e.written, r)
	},
	"the object of an AdminUser": func(e *env) bool {
		return objects.ObjectName(e.written) == objects.ObjectName(e.asked)
	},
	"rival AdminUsers": func(e *env) bool {
		return len(objects.Honoured([]v1alpha1.AdminUser{named(e.written, "a"), named(e.asked, "b")})) == 1
	},
	"the list of users": func(e *env) bool {
		e.adminUser(v1alpha1.StateActive)
		before := len(e.users())
		return len(e.users(e.asked)) == before
	},
	"seen users": func(e *env) bool { return len(e.users(e.written, e.asked)) == len(e.users(e.written)) },

	// The spelling that apps and logs get is that of the AdminUser.
	"the spelling of a key": func(e *env) bool {
		e.key()
		e.adminUser(v1alpha1.StateActive)
		return e.speaksAsWritten(e.decide(true, "GET", config.Runtime{}))
	},
	"the spelling of a later key": func(e *env) bool {
		e.adminUser(v1alpha1.StateActive)
		return e.speaksAsWritten(e.decide(true, "GET", config.Runtime{}))
	},
	"the spelling of a name": func(e *env) bool {
		e.adminUser(v1alpha1.StateActive)
		return e.speaksAsWritten(e.decide(false, "GET", config.Runtime{}))
	},
	"the spelling of a new key": func(e *env) bool {
		e.adminUser(v1alpha1.StateActive)
		subject := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: e.asked}
		admin := manage.Caller{Caller: e.Bearer(fakeobjects.AliceKey)}
		issued, err := e.keys.Create(e.t.Context(), admin, subject, func() (*apikeys.Wanted, error) {
			return &apikeys.Wanted{Name: "new"}, nil
		})
		return err == nil && issued.Key.Subject.Name == e.written
	},
}

func (e *env) speaksAsWritten(d gate.Decision) bool {
	return d.Outcome == gate.Allowed && d.Caller.Username == e.written && d.Caller.Subject == "User/"+e.written &&
		d.Caller.Identity()[0] == e.written
}

// users lists all users when these names were seen.
func (e *env) users(seen ...string) []users.User {
	service := users.New(users.Config{
		Gate: e.Gate, Verifier: e.Verifier, Store: e.Store, Seen: seenNames(seen), Uses: e.Uses, Trail: e.Trail,
		Now: e.Time, Log: e.Logger(),
	})
	all, err := service.List(e.t.Context(), manage.Caller{Caller: e.Bearer(fakeobjects.AliceKey)},
		func() (*users.Query, error) { return &users.Query{}, nil })
	if err != nil {
		e.t.Fatal(err)
	}
	return all.Items
}

type seenNames []string

func (s seenNames) All(context.Context) (all []seenusers.User, err error) {
	for i, name := range s {
		all = append(all, seenusers.User{ID: int64(i), Username: name, FirstSeen: time.Unix(int64(i), 0)})
	}
	return all, nil
}
func (seenNames) Find(context.Context, string) (*seenusers.User, error) { return nil, nil }
func (seenNames) Remove(context.Context, string) (bool, error)          { return false, nil }

func named(username, uid string) v1alpha1.AdminUser {
	u := v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: username}}
	u.Namespace, u.Name, u.UID = fakeobjects.Namespace, uid, types.UID(uid)
	return u
}

// indexed adds indexes to a fake API server.
type indexed struct{ *fake.ClientBuilder }

func (x indexed) IndexField(_ context.Context, o client.Object, field string, extract client.IndexerFunc) error {
	x.WithIndex(o, field, extract)
	return nil
}

func operatorFinds(t *testing.T, written, asked string) bool {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	user := named(written, "a")
	builder := fake.NewClientBuilder().WithScheme(scheme).WithObjects(&user)
	if err := keyholder.IndexUsernames(t.Context(), indexed{builder}); err != nil {
		t.Fatal(err)
	}
	found, err := keyholder.ByUsername(t.Context(), builder.Build(), fakeobjects.Namespace, asked)
	if err != nil {
		t.Fatal(err)
	}
	return found != nil
}

func TestPlaces_IgnoreCase(t *testing.T) {
	for place, same := range places {
		t.Run(place, func(t *testing.T) {
			for _, pair := range []struct {
				written, asked string
				want           bool
			}{
				{"michelleo", "michelleo", true}, {"MichelleO", "michelleo", true}, {"michelleo", "MichelleO", true},
				{"MICHELLEO", "MichelleO", true}, {"michelleo", "michelle", false}, {"MichelleO", "michelleo2", false},
			} {
				if got := same(newEnv(t, pair.written, pair.asked)); got != pair.want {
					t.Errorf("%s and %s are one user: %t", pair.written, pair.asked, got)
				}
			}
		})
	}
}

// Paths that change a user ask for the exact spelling.
func TestUser_ExactSpelling(t *testing.T) {
	e := newEnv(t, "MichelleO", "")
	e.adminUser(v1alpha1.StateActive)
	for name, want := range map[string]bool{"MichelleO": true, "michelleo": false} {
		if found, err := e.Store.User(t.Context(), name); err != nil || (found != nil) != want {
			t.Errorf("%s: %v %v", name, found, err)
		}
	}
}
