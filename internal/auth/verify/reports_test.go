package verify_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
)

const every = 30 * time.Second

func TestAUseIsToldOfOnceInAWhile(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	alice := admin("alice", ring.Digest(numbered(1)), ring.Digest(numbered(2)))
	index.Put(id("alice"), alice)
	index.Put(id("bob"), admin("bob", ring.Digest(numbered(3))))
	verifier := verify.NewVerifier(index, format, ring)
	tells := func(key uint64, at time.Time) bool {
		return verifier.Verify(numbered(key), at).ShouldReportUse(at, every)
	}
	for i, step := range []struct {
		key   uint64
		after time.Duration
		want  bool
	}{
		{1, 0, true},
		{1, 0, false},
		{1, every - time.Microsecond, false},
		{2, every - time.Microsecond, false}, // the same object's
		{3, every - time.Microsecond, true},  // another's
		{1, every, true},
		{2, every, false},
		{1, time.Second, false}, // requests overtake each other
		{1, -time.Hour, true},   // the clock was set back
		{1, every - time.Hour, true},
	} {
		if got := tells(step.key, now.Add(step.after)); got != step.want {
			t.Errorf("step %d: %t, want %t", i, got, step.want)
		}
	}

	// What the object says otherwise changes often; that it was told of is not forgotten by it.
	later := now.Add(time.Hour)
	tells(1, later)
	alice.Disabled = true
	index.Put(id("alice"), alice)
	if tells(1, later) {
		t.Error("a change of the object made its use new")
	}
	alice.UID = "another"
	index.Put(id("alice"), alice)
	if !tells(1, later) {
		t.Error("another object of the same name was never used, and that is not told")
	}
}

func TestAUserIsToldOfWithoutAnAdminUser(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	given := access.Given{Scopes: []string{"certs.read"}}
	tells := func(key uint64, at time.Time) bool {
		return verifier.Verify(numbered(key), at).ShouldReportUser(at, every)
	}
	want := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %t, want %t", what, got, want)
		}
	}
	for i := range uint64(2) {
		index.Put(apiKeyID(fmt.Sprint("key-", i)), apiKey("zoe", given, ring.Digest(numbered(i))))
	}
	want("the first use", tells(0, now), true)
	want("of another of the user's keys", tells(1, now), false)
	want("later", tells(1, now.Add(every)), true)
	index.Put(id("Zoe"), admin("Zoe", ring.Digest(numbered(5))))
	want("an AdminUser of another name", tells(0, now.Add(2*every)), true)
	index.Delete(id("Zoe"))
	index.Put(id("zoe"), admin("zoe", ring.Digest(numbered(5))))
	want("an AdminUser", tells(0, now.Add(3*every)), false)
	want("an admin's own key", tells(5, now.Add(3*every)), false)
	index.Delete(id("zoe"))
	want("none any more", tells(0, now.Add(3*every)), true)
	ci := apiKey("", given, ring.Digest(numbered(7)))
	ci.Identity = verify.Identity{Subject: "Account/ci"}
	index.Put(apiKeyID("ci"), ci)
	want("no user", tells(7, now), false)
}

func TestOfManyAtOnceOneIsToldOf(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	verdict := verify.NewVerifier(index, format, ring).Verify(numbered(1), now)
	var told atomic.Int32
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for i := range 1000 {
				if verdict.ShouldReportUse(now.Add(time.Duration(i)*time.Millisecond), every) {
					told.Add(1)
				}
			}
		})
	}
	asking.Wait()
	if told.Load() != 1 {
		t.Errorf("told of %d times", told.Load())
	}
}

func TestWhatAnObjectTellsOfItsLastUse(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	alice := admin("alice", ring.Digest(numbered(1)))
	for _, want := range []time.Time{{}, now, now.Add(time.Hour), {}} {
		alice.LastUsed = want
		if ended := index.Put(id("alice"), alice); len(ended) > 0 {
			t.Errorf("its use ended %v", ended)
		}
		if got := verifier.LastUsed(id("alice")); !got.Equal(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := verifier.LastUsed(id("nobody")); !got.IsZero() {
		t.Errorf("nobody was last used %s", got)
	}
}
