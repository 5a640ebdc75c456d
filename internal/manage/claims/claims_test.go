package claims_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/users"
	"keywright.dev/keywright/test/fakeobjects"
)

func TestClaim_IssuesTheKeyOnce(t *testing.T) {
	onEach(t, func(t *testing.T, e *env, c *claims.Created) {
		if c.EndsAt.Sub(c.CreatedAt) != claims.DefaultLifetime || c.State != link.Open {
			t.Errorf("%+v", c.Link)
		}
		offer, err := e.Look(t.Context(), e.claimant(), given(c.Token.Plaintext()))
		if err != nil || offer.Subject != c.Subject || offer.Name != c.Name || !offer.EndsAt.Equal(c.EndsAt) {
			t.Errorf("%+v %v", offer, err)
		}
		claimed := e.mustClaim(t, c)
		e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
		if verdict := e.Verifier.Verify(claimed.Key.Plaintext(), e.Time()); verdict.Identity().Subject != c.Subject {
			t.Errorf("the key speaks as %+v", verdict.Identity())
		}
		_, err = e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		_, err = e.Look(t.Context(), e.claimant(), given(c.Token.Plaintext()))
		want(t, err, manage.NotFound, noLink)
		e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
		if state := e.state(t, c); state != link.Used {
			t.Error(state)
		}
		if writes := e.Writes(); !strings.HasPrefix(writes[len(writes)-1], "stop ") {
			t.Errorf("the object still waits: %q", writes)
		}
		e.Pass(claims.MaxLifetime)
		if err := e.Settle(t.Context()); err != nil || !e.exists(t, c) {
			t.Errorf("the object is gone: %v", err)
		}
	})
}

func TestClaim_IsAudited(t *testing.T) {
	e := newEnv(t)
	c := e.create(t, forKey(ci))
	e.mustClaim(t, c)
	_, _ = e.claim(t, c)
	var lines []string
	for _, entry := range e.Trail.Entries() {
		if strings.Contains(entry.Detail+entry.Target, c.Token.Plaintext()) {
			t.Errorf("the token is in %+v", entry)
		}
		lines = append(lines, fmt.Sprintf("%s from %s: %s %s %s: %s (%s)", entry.Actor, entry.From, entry.Action,
			entry.Target, entry.Outcome, strings.ReplaceAll(entry.Detail, c.ID, "ID"), entry.Reason))
	}
	object := "APIKey/" + fakeobjects.Namespace + "/" + c.Object
	expected := []string{
		"User/alice from 192.0.2.7: claim.create " + object + " done: Account/ci, link ID ()",
		"User/alice from 198.51.100.4: claim.use " + object + " done: Account/ci, link ID (my new laptop)",
	}
	if len(lines) != 3 || !slices.Equal(lines[:2], expected) ||
		!strings.HasPrefix(lines[2], " from 198.51.100.4: claim.use  refused: This claim link can't be used") {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
	var events []string
	for _, event := range e.Events() {
		events = append(events, event.Reason+": "+event.Message)
	}
	if !slices.Equal(events, []string{
		"Created: Created, with a claim link, by User/alice through the API",
		"KeyIssued: Issued to a claim link that was made by User/alice through the API: my new laptop",
	}) {
		t.Errorf("%q", events)
	}
}

// A guess learns nothing: not even whether there was such a link.
func TestClaim_RefusedTokensLookAlike(t *testing.T) {
	e := newEnv(t)
	used, withdrawn, expired := e.create(t, forKey(ci)), e.create(t, forKey(ci)), e.create(t, forKey(ci))
	lost := e.create(t, claims.Wanted{Username: "Zoe"})
	e.mustClaim(t, used)
	if err := e.Withdraw(t.Context(), e.admin(), withdrawn.ID); err != nil {
		t.Fatal(err)
	}
	if err := e.Delete(t.Context(), e.AdminUser("Zoe")); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{
		"used": used.Token.Plaintext(), "withdrawn": withdrawn.Token.Plaintext(), "lost": lost.Token.Plaintext(),
		"unknown": link.NewToken(), "cut off": used.Token.Plaintext()[:42], "not a token": "a\x00ü",
		"a key": fakeobjects.AliceKey, "an id": expired.ID, "too long": strings.Repeat("A", 1<<16),
	}
	texts := map[string]bool{}
	try := func(name, token string) {
		_, err := e.replica().Claim(t.Context(), e.claimant(), given(token))
		want(t, err, manage.NotFound, noLink)
		texts[err.Error()] = true
		_, err = e.replica().Look(t.Context(), e.claimant(), given(token))
		if name != "lost" {
			want(t, err, manage.NotFound, noLink)
		}
	}
	for name, token := range tokens {
		try(name, token)
	}
	e.Pass(claims.DefaultLifetime)
	try("expired", expired.Token.Plaintext())
	if len(texts) != 1 {
		t.Errorf("%v", texts)
	}
	if state := e.state(t, lost); state != link.Void {
		t.Error(state)
	}
}

func TestClaim_SlowsDownGuesses(t *testing.T) {
	e := newEnv(t)
	c := e.create(t, forKey(ci))
	from := manage.Caller{Caller: e.Caller(nil), From: "203.0.113.9"}
	var err error
	for range 20 {
		if _, err = e.Claim(t.Context(), from, given(link.NewToken())); manage.Is(err, manage.Busy) {
			break
		}
	}
	want(t, err, manage.Busy, "Too many wrong claim links: try again in")
	if _, err := e.Claim(t.Context(), from, given(c.Token.Plaintext())); err != nil {
		t.Errorf("a good token is refused after wrong ones: %v", err)
	}
}

var aliceID = verify.ID{Kind: "AdminUser", Namespace: fakeobjects.Namespace, Name: "alice"}

// put changes alice, who creates the links.
func put(e *env, change func(*verify.KeyObject)) {
	o := verify.KeyObject{
		Identity: verify.Identity{Username: "alice", Subject: "User/alice", Admin: true}, Standing: verify.Accepted,
		UID: "uid-of-alice", UserID: "uid-of-alice", OwnsUsername: true, HoldsKeys: true,
		Keys: []verify.Key{{Digest: e.Ring.Digest(fakeobjects.AliceKey), IssuedAt: e.Time()}},
	}
	change(&o)
	e.Index.Put(aliceID, o)
}

// A claim is an act of the creator, with the rights that the creator has then. The link stays open.
func TestClaim_NeedsTheRightsOfItsCreator(t *testing.T) {
	for name, lose := range map[string]func(*env){
		"disabled": func(e *env) { put(e, func(o *verify.KeyObject) { o.Standing = verify.Disabled }) },
		"demoted":  func(e *env) { put(e, func(o *verify.KeyObject) { o.Standing = verify.Demoted }) },
		"deleted":  func(e *env) { e.Index.Delete(aliceID) },
		"its key has ended": func(e *env) {
			put(e, func(o *verify.KeyObject) { o.Keys[0].ExpiresAt = e.Time() })
		},
		"its key was rotated": func(e *env) {
			put(e, func(o *verify.KeyObject) { o.Keys[0].Digest = e.Ring.Digest("the-next-key-of-alice") })
		},
		"its key ends": func(e *env) {
			put(e, func(o *verify.KeyObject) { o.Keys[0].ExpiresAt = e.Time().Add(time.Hour) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env, c *claims.Created) {
				lose(e)
				before := len(e.Writes())
				_, err := e.claim(t, c)
				want(t, err, manage.Forbidden, creator)
				if writes := e.Writes()[before:]; len(writes) > 0 || e.state(t, c) != link.Open {
					t.Errorf("writes %q, the link is %s", writes, e.state(t, c))
				}
				entries := e.Trail.Entries()
				if last := entries[len(entries)-1]; last.Outcome != "refused" || last.Actor != "User/alice" ||
					!strings.Contains(last.Detail, "(") {
					t.Errorf("audit entry %+v", last)
				}
				put(e, func(*verify.KeyObject) {})
				e.expect(t, e.mustClaim(t, c).Key.Plaintext(), verify.Accepted)
			})
		})
	}
}

// A right that an APIKey of a plain user loses between the link and its claim.
func TestClaim_StaysWithinRightsOfAnAPIKey(t *testing.T) {
	e := newEnv(t)
	w := claims.Wanted{Subject: bob, Key: &apikeys.Wanted{Name: "x", Scopes: []string{"apikeys.read"}}}
	c, err := e.Create(t.Context(), e.by(bobKey), given(&w))
	if err != nil {
		t.Fatal(err)
	}
	e.Bind("reader", "bob", v1alpha1.KeysDenied)
	_, err = e.claim(t, c)
	want(t, err, manage.Forbidden, creator)
	e.Bind("reader", "bob", v1alpha1.KeysAllowed)
	e.mustClaim(t, c)

	w.Key.Scopes = []string{"certs.read"}
	_, err = e.Create(t.Context(), e.by(bobKey), given(&w))
	want(t, err, manage.Forbidden, manage.NotPermitted+": a caller can only give what it holds")
}

// Whatever step a claim stops at, the link can be claimed again, and no key works that was not shown.
func TestClaim_StoppedAtAnyStepIsNotLost(t *testing.T) {
	stop := map[string]func(t *testing.T, e *env, c *claims.Created) (seen string){
		"after the reservation": func(t *testing.T, e *env, c *claims.Created) string {
			t.Helper()
			reserve(t, e, c)
			return ""
		},
		"after the key": func(t *testing.T, e *env, c *claims.Created) string {
			t.Helper()
			reserve(t, e, c)
			return issue(t, e, c)
		},
		"at the mark, which fails": func(t *testing.T, e *env, c *claims.Created) string {
			t.Helper()
			e.links.failUse = true
			_, err := e.claim(t, c)
			want(t, err, manage.Unavailable, "The server can't do this now")
			e.links.failUse = false
			return ""
		},
	}
	for name, stop := range stop {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env, c *claims.Created) {
				unseen := stop(t, e, c)
				_, err := e.claim(t, c)
				want(t, err, manage.Conflict, inUse)
				want(t, e.Withdraw(t.Context(), e.admin(), c.ID), manage.Conflict, inUse)
				e.Pass(time.Minute)
				claimed := e.mustClaim(t, c)
				e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
				if unseen != "" {
					e.expect(t, unseen, verify.Unknown)
				}
			})
		})
	}
}

// A claim that stopped after the key leaves an object with a key that was not shown: it goes with the link.
func TestSettle_DeletesObjectWithUnseenKey(t *testing.T) {
	onEach(t, func(t *testing.T, e *env, c *claims.Created) {
		reserve(t, e, c)
		unseen := issue(t, e, c)
		e.Pass(claims.DefaultLifetime)
		if err := e.Settle(t.Context()); err != nil || e.exists(t, c) {
			t.Errorf("the object stays: %v", err)
		}
		e.expect(t, unseen, verify.Unknown)
	})
}

func reserve(t *testing.T, e *env, c *claims.Created) {
	t.Helper()
	reserved, err := e.links.Reserve(t.Context(), c.ID, "of-a-server-that-ended", e.Time(), e.Time().Add(time.Minute))
	if err != nil || !reserved {
		t.Fatal(reserved, err)
	}
}

func issue(t *testing.T, e *env, c *claims.Created) (plaintext string) {
	t.Helper()
	if c.Kind == link.User {
		issued, err := e.users.IssueWaiting(t.Context(), e.admin(), "Zoe", c.UID)
		if err != nil {
			t.Fatal(err)
		}
		return issued.Key.Plaintext()
	}
	issued, err := e.keys.IssueWaiting(t.Context(), e.admin(), ci, c.UID, c.Owner)
	if err != nil {
		t.Fatal(err)
	}
	return issued.Token.Plaintext()
}

// A claim that fails before the key leaves the link free at once.
func TestClaim_FailedOneFreesTheLink(t *testing.T) {
	for _, call := range []string{"Generate", "IssueWaiting"} {
		t.Run(call, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env, c *claims.Created) {
				e.Fail = fakeobjects.FailCall(call, objects.ErrUnavailable)
				_, err := e.claim(t, c)
				want(t, err, manage.Unavailable, "")
				e.Fail = nil
				e.mustClaim(t, c)
			})
		})
	}
}

func TestClaim_OneOfManyAtOnceGetsTheKey(t *testing.T) {
	onEach(t, func(t *testing.T, e *env, c *claims.Created) {
		replicas := []*claims.Service{e.replica(), e.replica()}
		var claiming sync.WaitGroup
		keys := make([]*claims.Claimed, 12)
		errs := make([]error, len(keys))
		for i := range keys {
			claiming.Go(func() {
				keys[i], errs[i] = replicas[i%2].Claim(context.Background(), e.claimant(), given(c.Token.Plaintext()))
			})
		}
		claiming.Wait()
		keys = slices.DeleteFunc(keys, func(k *claims.Claimed) bool { return k == nil })
		if len(keys) != 1 {
			t.Fatalf("%d claims got a key: %v", len(keys), errs)
		}
		e.expect(t, keys[0].Key.Plaintext(), verify.Accepted)
		for _, err := range errs {
			if err != nil && !manage.Is(err, manage.NotFound) && !manage.Is(err, manage.Conflict) {
				t.Error(err)
			}
		}
	})
}

// A key that was shown in another way stays: the link does not replace it, and its end does not delete the object.
func TestClaim_NeverReplacesAKeyThatWasShown(t *testing.T) {
	rotate := func(t *testing.T, e *env, c *claims.Created) string {
		t.Helper()
		if c.Kind == link.User {
			issued, err := e.users.RotateKey(t.Context(), e.admin(), "Zoe", given(users.Rotation{}))
			if err != nil {
				t.Fatal(err)
			}
			return issued.Key.Plaintext()
		}
		issued, err := e.keys.Rotate(t.Context(), e.admin(), ci, c.UID, given(&apikeys.Rotation{}))
		if err != nil {
			t.Fatal(err)
		}
		return issued.Token.Plaintext()
	}
	for name, end := range map[string]func(t *testing.T, e *env, c *claims.Created){
		"claimed": func(t *testing.T, e *env, c *claims.Created) {
			t.Helper()
			_, err := e.claim(t, c)
			want(t, err, manage.NotFound, noLink)
		},
		"withdrawn": func(t *testing.T, e *env, c *claims.Created) {
			t.Helper()
			if err := e.Withdraw(t.Context(), e.admin(), c.ID); err != nil {
				t.Fatal(err)
			}
		},
		"expired": func(t *testing.T, e *env, _ *claims.Created) { t.Helper(); e.Pass(claims.MaxLifetime) },
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, e *env, c *claims.Created) {
				shown := rotate(t, e, c)
				end(t, e, c)
				if err := e.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
				e.expect(t, shown, verify.Accepted)
			})
		})
	}
}

func TestClaim_DoesNotPassToALaterUser(t *testing.T) {
	e := newEnv(t)
	zoe := v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "Zoe"}
	e.mustClaim(t, e.create(t, claims.Wanted{Username: "Zoe"}))
	c := e.create(t, claims.Wanted{Subject: zoe, Key: &apikeys.Wanted{Name: "x"}})
	if err := e.Delete(t.Context(), e.AdminUser("Zoe")); err != nil {
		t.Fatal(err)
	}
	e.mustClaim(t, e.create(t, claims.Wanted{Username: "Zoe"}))
	_, err := e.claim(t, c)
	want(t, err, manage.NotFound, noLink)
}

// An object that was changed meanwhile is another operation's to decide on: it stays.
func TestClaim_OfADemotedUserLeavesTheUser(t *testing.T) {
	e := newEnv(t)
	c := e.create(t, claims.Wanted{Username: "Zoe"})
	if _, err := e.users.SetRole(t.Context(), e.admin(), "Zoe", given("user")); err != nil {
		t.Fatal(err)
	}
	_, err := e.claim(t, c)
	want(t, err, manage.NotFound, noLink)
	if err := e.Settle(t.Context()); err != nil || e.state(t, c) != link.Void || !e.exists(t, c) {
		t.Errorf("the link is %s, and the user exists: %t (%v)", e.state(t, c), e.exists(t, c), err)
	}
}

func TestClaim_OfAKeyThatWouldHaveEnded(t *testing.T) {
	e := newEnv(t)
	end := e.Time().Add(time.Hour)
	c := e.create(t, claims.Wanted{Subject: ci, Key: &apikeys.Wanted{Name: "Short", ExpiresAt: &end}})
	e.Pass(time.Hour)
	_, err := e.claim(t, c)
	want(t, err, manage.Conflict, "API key Short ended at 2030-01-01T01:00:00Z")
	if state := e.state(t, c); state != link.Open {
		t.Error(state)
	}
}
