package claims_test

import (
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/test/fakeobjects"
)

// A claim is an act of the creator, with the rights that the creator has then. The link stays open.
func TestRotation_NeedsTheRightsOfItsCreator(t *testing.T) {
	onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
		put(e, func(o *verify.KeyObject) { o.Standing = verify.Disabled })
		_, err := e.claim(t, c)
		want(t, err, manage.Forbidden, creator)
		if writes := e.Writes(); len(writes) > 0 || e.state(t, c) != link.Open {
			t.Errorf("writes %q, the link is %s", writes, e.state(t, c))
		}
		e.expect(t, lostKey, verify.Accepted)
		put(e, func(*verify.KeyObject) {})
		e.expect(t, e.mustClaim(t, c).Key.Plaintext(), verify.Accepted)
	})
}

func TestRotation_StaysWithinRightsOfAnAPIKey(t *testing.T) {
	e := newEnv(t)
	read := e.PutKey("of-bob", bob, lostKey, func(k *v1alpha1.APIKey) {
		byReply(k)
		k.Spec.Scopes = []v1alpha1.Scope{"apikeys.read"}
	})
	w := claims.Wanted{Rotates: true, ID: string(read.UID)}
	c, err := e.Create(t.Context(), e.by(bobKey), given(&w))
	if err != nil {
		t.Fatal(err)
	}
	e.Bind("reader", "bob", v1alpha1.KeysDenied)
	_, err = e.claim(t, c)
	want(t, err, manage.Forbidden, creator)
	e.Bind("reader", "bob", v1alpha1.KeysAllowed)
	e.PutKey("of-bob", bob, lostKey, func(k *v1alpha1.APIKey) {
		byReply(k)
		k.Spec.Scopes = []v1alpha1.Scope{"certs.read"}
	})
	_, err = e.claim(t, c)
	want(t, err, manage.Forbidden, creator)
	_, err = e.Create(t.Context(), e.by(bobKey), given(&w))
	want(t, err, manage.Forbidden, manage.NotPermitted+": a caller can only give what it holds")
	if state := e.state(t, c); state != link.Open {
		t.Error(state)
	}
}

func TestRotation_Refuses(t *testing.T) {
	e := newRotationEnv(t, link.KeyRotation)
	const renewing = "a-key-that-renews-itself"
	e.PutKey("renewing", ci, renewing, func(k *v1alpha1.APIKey) {
		byReply(k)
		k.Spec.Scopes = []v1alpha1.Scope{"apikeys.renew-self"}
	})
	e.PutKey("in-secret", ci, "a-key-that-is-in-a-secret", nil)
	e.PutKey("revoked", ci, "a-key-that-is-revoked", func(k *v1alpha1.APIKey) {
		byReply(k)
		k.Spec.State = v1alpha1.StateRevoked
	})
	e.PutUser(v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{Username: "git"}}, "a-key-of-an-admin-in-git")
	e.PutUser(v1alpha1.AdminUser{Spec: v1alpha1.AdminUserSpec{
		Username: "plain", Role: v1alpha1.RoleUser, Delivery: v1alpha1.DeliveryResponse,
	}}, "")
	waiting, waitingUser := e.create(t, forKey(ci)), e.create(t, claims.Wanted{Username: "waiting"})
	e.Reset()
	day := 25 * time.Hour
	byID := func(id string, r apikeys.Rotation) claims.Wanted {
		return claims.Wanted{Rotates: true, ID: id, Rotation: r}
	}
	user := func(name string, r apikeys.Rotation) claims.Wanted {
		return claims.Wanted{Rotates: true, Username: name, Rotation: r}
	}
	none, other := apikeys.Rotation{}, apikeys.Rotation{KeyID: "0123456789abcdef"}
	bad, long := apikeys.Rotation{KeyID: "x"}, apikeys.Rotation{Overlap: &day}
	const alice, conflict, invalid = fakeobjects.AliceKey, manage.Conflict, manage.Invalid
	for name, c := range map[string]struct {
		by   string
		w    claims.Wanted
		kind manage.Kind
		text string
	}{
		"in a Secret":              {alice, byID("uid-of-in-secret", none), conflict, "API key in-secret is delivered in"},
		"of an admin, in a Secret": {alice, user("git", none), conflict, "The key of 'git' is delivered in Secret"},
		"of an object that waits":  {alice, byID(waiting.UID, none), conflict, "API key Nightly builds waits for its"},
		"of an admin who waits":    {alice, user("waiting", none), conflict, "User 'waiting' waits for the first key"},
		"of a revoked key":         {alice, byID("uid-of-revoked", none), conflict, "API key revoked "},
		"of none":                  {alice, byID("none", none), manage.NotFound, "API key not found"},
		"of no admin":              {alice, user("plain", none), manage.NotFound, "Admin user 'plain' not found"},
		"of the bootstrap key":     {alice, user("admin", none), manage.NotFound, "Admin user 'admin' not found"},
		"of another key":           {alice, byID("uid-of-builds", other), conflict, "API key builds was rotated at"},
		"of an admin's other key":  {alice, user("git", other), conflict, "The key of 'git' was rotated at"},
		"of a bad key id":          {alice, byID("uid-of-builds", bad), invalid, "key_id: must be"},
		"of an admin's bad key id": {alice, user("git", bad), invalid, "key_id must be"},
		"with too long an overlap": {alice, byID("uid-of-builds", long), invalid, "overlap_seconds: must"},
		"of others' keys":          {bobKey, byID("uid-of-builds", none), manage.NotFound, "API key not found"},
		"of an admin, by a user":   {bobKey, user("git", none), manage.Forbidden, "Admin access required"},
		"by a key that renews itself": {
			renewing, byID("uid-of-renewing", none), manage.Forbidden, "Admin access required",
		},
		"with a short lifetime": {
			alice, claims.Wanted{Rotates: true, ID: "uid-of-builds", Lifetime: time.Second}, invalid, "expires_in_seconds",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Create(t.Context(), e.by(c.by), given(&c.w))
			want(t, err, c.kind, c.text)
		})
	}
	if writes := e.Writes(); len(writes) > 0 {
		t.Errorf("writes %q", writes)
	}
	if all, err := e.List(t.Context(), e.admin()); err != nil || len(all) != 2 || waitingUser == nil {
		t.Errorf("%d links: %v", len(all), err)
	}
}
