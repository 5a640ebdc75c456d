package claims_test

import (
	"context"
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

// lostKey is the present key of what the tests rotate: the admin Zoe, and the APIKey builds.
const lostKey = "a-key-that-its-owner-has-lost"

// rotations has a link of each kind that rotates.
var rotations = map[link.Kind]claims.Wanted{
	link.UserRotation: {Rotates: true, Username: "Zoe"},
	link.KeyRotation:  {Rotates: true, ID: "uid-of-builds"},
}

// newRotationEnv returns an env with a lost key, of an admin or of an APIKey.
func newRotationEnv(t *testing.T, kind link.Kind) *env {
	t.Helper()
	e := newEnv(t)
	if kind == link.UserRotation {
		e.PutUser(v1alpha1.AdminUser{
			Spec: v1alpha1.AdminUserSpec{Username: "Zoe", Role: v1alpha1.RoleAdmin, Delivery: v1alpha1.DeliveryResponse},
		}, lostKey)
	} else {
		e.PutKey("builds", ci, lostKey, byReply)
	}
	return e
}

func byReply(k *v1alpha1.APIKey) { k.Spec.Delivery = v1alpha1.DeliveryResponse }

// onEachRotation runs a test with a link of each kind that rotates.
func onEachRotation(t *testing.T, test func(t *testing.T, e *env, c *claims.Created)) {
	t.Helper()
	for kind, wanted := range rotations {
		t.Run(string(kind), func(t *testing.T) {
			e := newRotationEnv(t, kind)
			test(t, e, e.create(t, wanted))
		})
	}
}

// rotate rotates the lost key without a link, and returns the new one.
func (e *env) rotate(t *testing.T, c *claims.Created) string {
	t.Helper()
	if c.Kind == link.UserRotation {
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

func TestRotation_HandsTheNewKeyOverOnce(t *testing.T) {
	onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
		if writes := e.Writes(); len(writes) > 0 {
			t.Errorf("the link writes %q", writes)
		}
		offer, err := e.Look(t.Context(), e.claimant(), given(c.Token.Plaintext()))
		if err != nil || offer.Kind != c.Kind || offer.Subject != c.Subject {
			t.Errorf("%+v %v", offer, err)
		}
		e.expect(t, lostKey, verify.Accepted)
		claimed := e.mustClaim(t, c)
		e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
		e.expect(t, lostKey, verify.Unknown)
		if verdict := e.Verifier.Verify(claimed.Key.Plaintext(), e.Time()); verdict.Identity().Subject != c.Subject {
			t.Errorf("the key speaks as %+v", verdict.Identity())
		}
		_, err = e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		if state := e.state(t, c); state != link.Used {
			t.Error(state)
		}
		events := e.Events()
		last := events[len(events)-1]
		if last.Reason != v1alpha1.EventKeyRotated || !strings.HasPrefix(last.Message, "Rotated by a claim link") ||
			!strings.HasSuffix(last.Message, "made by User/alice through the API: my new laptop") {
			t.Errorf("%+v", last)
		}
		for i, action := range []string{"claim.create", "claim.use"} {
			if entry := e.Trail.Entries()[i]; entry.Action != action || !strings.HasSuffix(entry.Detail, c.ID+", rotation") ||
				entry.Actor != "User/alice" || strings.Contains(entry.Detail, c.Token.Plaintext()) {
				t.Errorf("%+v", entry)
			}
		}
	})
}

// The present key is another's to lose: nothing but a claim touches the object.
func TestRotation_EndsWithoutATrace(t *testing.T) {
	for name, end := range map[string]func(*env, *claims.Created) (link.State, error){
		"withdrawn": func(e *env, c *claims.Created) (link.State, error) {
			return link.Withdrawn, e.Withdraw(context.Background(), e.admin(), c.ID)
		},
		"expired": func(e *env, _ *claims.Created) (link.State, error) {
			e.Pass(claims.DefaultLifetime)
			return link.Expired, e.Settle(context.Background())
		},
	} {
		t.Run(name, func(t *testing.T) {
			onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
				state, err := end(e, c)
				if got := e.state(t, c); err != nil || got != state {
					t.Errorf("%s: %v", got, err)
				}
				if err := e.Settle(t.Context()); err != nil || len(e.Writes()) > 0 {
					t.Errorf("writes %q: %v", e.Writes(), err)
				}
				e.expect(t, lostKey, verify.Accepted)
				if left, err := e.links.Unsettled(t.Context(), e.Time()); err != nil || len(left) > 0 {
					t.Errorf("not settled: %v %v", left, err)
				}
				_, err = e.claim(t, c)
				want(t, err, manage.NotFound, noLink)
			})
		})
	}
}

func TestRotation_Overlaps(t *testing.T) {
	hour := time.Hour
	e := newRotationEnv(t, link.KeyRotation)
	w := rotations[link.KeyRotation]
	w.Rotation = apikeys.Rotation{Overlap: &hour, KeyID: e.Ring.Digest(lostKey).KeyID()}
	c := e.create(t, w)
	e.Pass(2 * time.Hour)
	claimed := e.mustClaim(t, c)
	if ends := claimed.PreviousEnds; !ends.Equal(e.Time().Add(hour)) {
		t.Errorf("the old key ends at %s", ends)
	}
	e.expect(t, lostKey, verify.Accepted)
	e.Pass(hour)
	e.expect(t, lostKey, verify.Expired)
	e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
}

func TestRotation_VoidWithAnotherKey(t *testing.T) {
	onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
		shown := e.rotate(t, c)
		_, err := e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		e.expect(t, shown, verify.Accepted)
		if state := e.state(t, c); state != link.Void {
			t.Error(state)
		}
		if err := e.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.expect(t, shown, verify.Accepted)
	})
}

// A rotation between the claim's look at the object and its write.
func TestRotation_VoidWithAnotherKeyAtTheSameTime(t *testing.T) {
	onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
		var shown string
		e.BeforeRecord = func(objects.Object) {
			e.BeforeRecord = nil
			shown = e.rotate(t, c)
		}
		_, err := e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		e.expect(t, shown, verify.Accepted)
		if state := e.state(t, c); state != link.Void {
			t.Error(state)
		}
	})
}

func TestRotation_OfTwoLinksOneIsUsed(t *testing.T) {
	for kind, w := range rotations {
		t.Run(string(kind), func(t *testing.T) {
			e := newRotationEnv(t, kind)
			one, other := e.create(t, w), e.create(t, w)
			claimed := e.mustClaim(t, one)
			_, err := e.claim(t, other)
			want(t, err, manage.NotFound, noLink)
			e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
		})
	}
}

// An idempotency key makes one link, although each would name the same object.
func TestRotation_OnceOnly(t *testing.T) {
	for kind, w := range rotations {
		t.Run(string(kind), func(t *testing.T) {
			e := newRotationEnv(t, kind)
			w.Once = "form-1"
			first := e.create(t, w)
			_, err := e.replica().Create(t.Context(), e.admin(), given(&w))
			want(t, err, manage.Conflict, "was created already as "+first.ID)
			w.Once = "form\x00"
			_, err = e.Create(t.Context(), e.admin(), given(&w))
			want(t, err, manage.Invalid, "Idempotency-Key: must be 1-255 visible ASCII characters")
			w.Once = "form-2"
			e.Made.Fail = fakeobjects.FailCall("Keep", errDown)
			_, err = e.Create(t.Context(), e.admin(), given(&w))
			want(t, err, manage.Unavailable, "")
			e.Made.Fail = nil
			e.mustClaim(t, e.create(t, w))
			all, err := e.List(t.Context(), e.admin())
			states := map[link.State]int{}
			for i := range all {
				states[all[i].State]++
			}
			if err != nil || len(all) != 3 || states[link.Withdrawn] != 1 || states[link.Used] != 1 {
				t.Errorf("%v %v", states, err)
			}
		})
	}
}

func TestRotation_VoidWithoutItsObject(t *testing.T) {
	onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
		if c.Kind == link.UserRotation {
			zoe := *e.AdminUser("Zoe")
			if err := e.Delete(t.Context(), e.AdminUser("Zoe")); err != nil {
				t.Fatal(err)
			}
			e.PutUser(zoe, "")
		} else {
			k, err := e.Fixture.Store.Key(t.Context(), verify.ID{Kind: "APIKey", Namespace: c.Namespace, Name: c.Object})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Delete(t.Context(), k); err != nil {
				t.Fatal(err)
			}
		}
		before := len(e.Writes())
		_, err := e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		if writes := e.Writes()[before:]; len(writes) > 0 || e.state(t, c) != link.Void {
			t.Errorf("writes %q, the link is %s", writes, e.state(t, c))
		}
	})
}

// An object whose key has ended, or that never had one, has no key to replace.
func TestRotation_OfAnObjectWithoutAKey(t *testing.T) {
	none := func(k *v1alpha1.APIKey) { byReply(k); k.Status.Keys = nil }
	t.Run("made without", func(t *testing.T) {
		e := newEnv(t)
		e.PutKey("builds", ci, lostKey, none)
		one, other := e.create(t, rotations[link.KeyRotation]), e.create(t, rotations[link.KeyRotation])
		claimed := e.mustClaim(t, one)
		e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
		_, err := e.claim(t, other)
		want(t, err, manage.NotFound, noLink)
	})
	t.Run("issued at the same time", func(t *testing.T) {
		e := newEnv(t)
		e.PutKey("builds", ci, lostKey, none)
		c := e.create(t, rotations[link.KeyRotation])
		var shown string
		e.BeforeRecord = func(objects.Object) {
			e.BeforeRecord = nil
			shown = e.rotate(t, c)
		}
		_, err := e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		e.expect(t, shown, verify.Accepted)
	})
	t.Run("ended meanwhile", func(t *testing.T) {
		e := newRotationEnv(t, link.KeyRotation)
		c := e.create(t, rotations[link.KeyRotation])
		e.PutKey("builds", ci, lostKey, none)
		e.expect(t, e.mustClaim(t, c).Key.Plaintext(), verify.Accepted)
	})
}

// Whatever step a claim stops at, the link can be claimed again, and the rotated key keeps its overlap.
func TestRotation_StoppedAtAnyStepIsNotLost(t *testing.T) {
	stop := map[string]func(*testing.T, *env, *claims.Created){
		"after the reservation": reserve,
		"before the key": func(t *testing.T, e *env, c *claims.Created) {
			t.Helper()
			reserve(t, e, c)
			const attempt, unseen = "of-a-server-that-ended", "0123456789abcdef"
			if done, err := e.links.Replace(t.Context(), c.ID, attempt, c.Succeeds, unseen); !done || err != nil {
				t.Fatal(done, err)
			}
		},
		"at the mark, which fails": func(t *testing.T, e *env, c *claims.Created) {
			t.Helper()
			e.links.failUse = true
			_, err := e.claim(t, c)
			want(t, err, manage.Unavailable, "The server can't do this now")
			e.links.failUse = false
		},
	}
	for name, stop := range stop {
		t.Run(name, func(t *testing.T) {
			onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
				for range 3 {
					stop(t, e, c)
					_, err := e.claim(t, c)
					want(t, err, manage.Conflict, inUse)
					e.Pass(time.Minute)
					// The link as the next claim finds it.
					l, err := e.links.ByID(t.Context(), c.ID)
					if err != nil {
						t.Fatal(err)
					}
					c.Link = *l
				}
				claimed := e.mustClaim(t, c)
				e.expect(t, claimed.Key.Plaintext(), verify.Accepted)
				e.expect(t, lostKey, verify.Unknown)
			})
		})
	}
}

// A key that is issued in another way after an interrupted claim stays, although the unseen key was current.
func TestRotation_StoppedOneNeverReplacesAKeyThatWasShown(t *testing.T) {
	onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
		e.links.failUse = true
		_, err := e.claim(t, c)
		want(t, err, manage.Unavailable, "")
		e.links.failUse = false
		shown := e.rotate(t, c)
		e.Pass(time.Minute)
		_, err = e.claim(t, c)
		want(t, err, manage.NotFound, noLink)
		e.expect(t, shown, verify.Accepted)
	})
}

// A claim that fails before the key leaves the link free at once.
func TestRotation_FailedOneFreesTheLink(t *testing.T) {
	for _, call := range []string{"Generate", "Record"} {
		t.Run(call, func(t *testing.T) {
			onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
				e.Fail = fakeobjects.FailCall(call, objects.ErrUnavailable)
				_, err := e.claim(t, c)
				want(t, err, manage.Unavailable, "")
				e.Fail = nil
				e.expect(t, lostKey, verify.Accepted)
				e.mustClaim(t, c)
			})
		})
	}
}

func TestRotation_OneOfManyAtOnceGetsTheKey(t *testing.T) {
	onEachRotation(t, func(t *testing.T, e *env, c *claims.Created) {
		replicas := []*claims.Service{e.replica(), e.replica()}
		var claiming sync.WaitGroup
		keys := make([]*claims.Claimed, 12)
		for i := range keys {
			claiming.Go(func() {
				keys[i], _ = replicas[i%2].Claim(context.Background(), e.claimant(), given(c.Token.Plaintext()))
			})
		}
		claiming.Wait()
		keys = slices.DeleteFunc(keys, func(k *claims.Claimed) bool { return k == nil })
		if len(keys) != 1 {
			t.Fatalf("%d claims got a key", len(keys))
		}
		e.expect(t, keys[0].Key.Plaintext(), verify.Accepted)
	})
}
