package claims_test

import (
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/test/fakeobjects"
)

func TestCreate_Refuses(t *testing.T) {
	const alice, outOfBounds = fakeobjects.AliceKey, "expires_in_seconds: must be from 300 to 604800"
	e := newEnv(t)
	for name, c := range map[string]struct {
		by   string
		w    claims.Wanted
		kind manage.Kind
		text string
	}{
		"too short":      {alice, claims.Wanted{Username: "Zoe", Lifetime: time.Minute}, manage.Invalid, outOfBounds},
		"too long":       {alice, claims.Wanted{Username: "Zoe", Lifetime: 170 * time.Hour}, manage.Invalid, outOfBounds},
		"negative":       {alice, claims.Wanted{Username: "Zoe", Lifetime: -time.Hour}, manage.Invalid, outOfBounds},
		"no name":        {alice, claims.Wanted{}, manage.Invalid, "Username is required"},
		"a reserved one": {alice, claims.Wanted{Username: "admin"}, manage.Invalid, "Username 'admin' is reserved"},
		"a key as name": {
			alice, claims.Wanted{Username: fakeobjects.BootstrapKey}, manage.Invalid, "Invalid username: it is a key",
		},
		"no display name": {
			alice, claims.Wanted{Subject: ci, Key: &apikeys.Wanted{}}, manage.Invalid, "name: is required",
		},
		"an admin, by a plain user": {bobKey, claims.Wanted{Username: "Zoe"}, manage.Forbidden, "Admin access required"},
		"a key of others, by a plain user": {
			bobKey, claims.Wanted{Subject: ci, Key: &apikeys.Wanted{Name: "x"}}, manage.Forbidden, manage.NotPermitted,
		},
		"anonymous": {"a-key-that-is-unknown", claims.Wanted{Username: "Zoe"}, manage.Forbidden, "Admin access required"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Create(t.Context(), e.by(c.by), given(&c.w))
			want(t, err, c.kind, c.text)
			if writes := e.Writes(); len(writes) > 0 {
				t.Errorf("writes %q", writes)
			}
		})
	}
	for _, entry := range e.Trail.Entries() {
		if entry.Outcome != "refused" || strings.Contains(entry.Target+entry.Detail, fakeobjects.BootstrapKey) {
			t.Errorf("%+v", entry)
		}
	}
}

func TestCreate_TakesNameOnce(t *testing.T) {
	e := newEnv(t)
	e.create(t, claims.Wanted{Username: "Zoe"})
	_, err := e.Create(t.Context(), e.admin(), given(&claims.Wanted{Username: "zoe"}))
	want(t, err, manage.Conflict, "User 'Zoe' already exists")
}

// Without a link, the object would never get a key.
func TestCreate_UndoesObjectWithoutLink(t *testing.T) {
	for kind, w := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			e := newEnv(t)
			e.links.failAdd = true
			_, err := e.Create(t.Context(), e.admin(), given(&w))
			want(t, err, manage.Unavailable, "The server can't do this now")
			if e.exists(t, &claims.Created{Link: link.Link{Kind: kind}}) {
				t.Error("the object stays")
			}
		})
	}
}

func TestCreate_BoundsOpenLinks(t *testing.T) {
	e := newEnv(t)
	for range link.MaxOpenOfCreator {
		e.create(t, forKey(ci))
	}
	before, err := e.Fixture.Store.Keys(t.Context(), ci)
	if err != nil {
		t.Fatal(err)
	}
	w := forKey(ci)
	_, err = e.Create(t.Context(), e.admin(), given(&w))
	want(t, err, manage.Conflict, "There are too many open claim links: at most 100 of one creator and 1000 in all")
	if after, err := e.Fixture.Store.Keys(t.Context(), ci); err != nil || len(after) != len(before) {
		t.Errorf("%d keys, there were %d: %v", len(after), len(before), err)
	}
}

func TestWithdraw_DeletesTheObject(t *testing.T) {
	onEach(t, func(t *testing.T, e *env, c *claims.Created) {
		if err := e.Withdraw(t.Context(), e.admin(), c.ID); err != nil || e.exists(t, c) {
			t.Fatalf("the object stays: %v", err)
		}
		err := e.Withdraw(t.Context(), e.admin(), c.ID)
		want(t, err, manage.Conflict, "The claim link is not open any more: it is withdrawn since")
		_, err = e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		events := e.Events()
		last := events[len(events)-1].Message
		if last != "Deleted: its claim link was withdrawn by User/alice through the API" {
			t.Error(last)
		}
	})
}

// The withdrawal holds although the object can't be deleted now. It is deleted later.
func TestWithdraw_DeletesTheObjectLater(t *testing.T) {
	onEach(t, func(t *testing.T, e *env, c *claims.Created) {
		e.Fail = fakeobjects.FailCall("DeleteWaiting", objects.ErrUnavailable)
		if err := e.Withdraw(t.Context(), e.admin(), c.ID); err != nil {
			t.Fatal(err)
		}
		_, err := e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		e.Fail = nil
		if err := e.Settle(t.Context()); err != nil || e.exists(t, c) {
			t.Errorf("the object stays: %v", err)
		}
	})
}

func TestSettle_EndsLinksInTime(t *testing.T) {
	onEach(t, func(t *testing.T, e *env, c *claims.Created) {
		e.Pass(claims.DefaultLifetime - time.Second)
		if err := e.Settle(t.Context()); err != nil || !e.exists(t, c) {
			t.Fatalf("the object is gone too early: %v", err)
		}
		e.Pass(time.Second)
		_, err := e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		for range 2 {
			if err := e.Settle(t.Context()); err != nil || e.exists(t, c) {
				t.Fatalf("the object stays: %v", err)
			}
		}
		ends := 0
		for _, entry := range e.Trail.Entries() {
			if entry.Action == "claim.end" {
				ends++
			}
		}
		if state := e.state(t, c); state != link.Expired || ends != 1 {
			t.Errorf("the link is %s, with %d entries", state, ends)
		}
	})
}

func TestList_ShowsWhatTheCallerMayRead(t *testing.T) {
	e := newEnv(t)
	of := map[string]string{}
	for _, w := range []claims.Wanted{
		{Username: "Zoe"}, forKey(ci), {Subject: bob, Key: &apikeys.Wanted{Name: "x", Scopes: []string{"apikeys.read"}}},
	} {
		c := e.create(t, w)
		of[c.Subject] = c.ID
		e.Pass(time.Second)
	}
	for _, c := range []struct {
		by   string
		want string
	}{
		{fakeobjects.AliceKey, "User/bob Account/ci User/Zoe"}, {fakeobjects.BootstrapKey, "User/bob Account/ci User/Zoe"},
		{bobKey, "User/bob"},
	} {
		all, err := e.List(t.Context(), e.by(c.by))
		if err != nil {
			t.Fatal(err)
		}
		var subjects []string
		for i := range all {
			subjects = append(subjects, all[i].Subject)
		}
		if got := strings.Join(subjects, " "); got != c.want {
			t.Errorf("%s sees %s, want %s", c.by, got, c.want)
		}
	}
	_, err := e.List(t.Context(), e.claimant())
	want(t, err, manage.Forbidden, "Admin access required")
	want(t, e.Withdraw(t.Context(), e.by(bobKey), of["User/Zoe"]), manage.NotFound, "Claim link not found")
	want(t, e.Withdraw(t.Context(), e.by(bobKey), "none"), manage.NotFound, "Claim link not found")
	want(t, e.Withdraw(t.Context(), e.claimant(), of["User/bob"]), manage.Forbidden, "Admin access required")
	if err := e.Withdraw(t.Context(), e.by(bobKey), of["User/bob"]); err != nil {
		t.Error(err)
	}
}
