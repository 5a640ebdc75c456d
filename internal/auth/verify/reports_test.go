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

const interval = 30 * time.Second

func TestShouldReportUse_OncePerInterval(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	alice := admin("alice", ring.Digest(numbered(1)), ring.Digest(numbered(2)))
	index.Put(id("alice"), alice)
	index.Put(id("bob"), admin("bob", ring.Digest(numbered(3))))
	verifier := verify.NewVerifier(index, format, ring)
	report := func(key uint64, at time.Time) bool {
		return verifier.Verify(numbered(key), at).ShouldReportUse(at, interval)
	}
	for i, step := range []struct {
		key   uint64
		after time.Duration
		want  bool
	}{
		{1, 0, true},
		{1, 0, false},
		{1, interval - time.Microsecond, false},
		{2, interval - time.Microsecond, false}, // the same object's
		{3, interval - time.Microsecond, true},  // another's
		{1, interval, true},
		{2, interval, false},
		{1, time.Second, false}, // requests overtake each other
		{1, -time.Hour, true},   // the clock was set back
		{1, interval - time.Hour, true},
	} {
		if got := report(step.key, now.Add(step.after)); got != step.want {
			t.Errorf("step %d: %t, want %t", i, got, step.want)
		}
	}

	// An object changes often: that must not reset the interval.
	later := now.Add(time.Hour)
	report(1, later)
	alice.Disabled = true
	index.Put(id("alice"), alice)
	if report(1, later) {
		t.Error("a change of the object reset the interval")
	}
	alice.UID = "another"
	index.Put(id("alice"), alice)
	if !report(1, later) {
		t.Error("the first use of another object with the same name is not reported")
	}
}

func TestShouldReportUser_OnlyWithoutAdminUser(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	rights := access.Rights{Scopes: []string{"certs.read"}}
	report := func(key uint64, at time.Time) bool {
		return verifier.Verify(numbered(key), at).ShouldReportUser(at, interval)
	}
	want := func(what string, got, want bool) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %t, want %t", what, got, want)
		}
	}
	for i := range uint64(2) {
		index.Put(apiKeyID(fmt.Sprint("key-", i)), apiKey("zoe", rights, ring.Digest(numbered(i))))
	}
	want("the first use", report(0, now), true)
	want("use of another key of the user", report(1, now), false)
	want("later", report(1, now.Add(interval)), true)
	index.Put(id("Zoe"), admin("Zoe", ring.Digest(numbered(5))))
	want("an AdminUser in another spelling", report(0, now.Add(2*interval)), false)
	index.Delete(id("Zoe"))
	index.Put(id("zoe"), admin("zoe", ring.Digest(numbered(5))))
	want("an AdminUser", report(0, now.Add(3*interval)), false)
	want("an admin's own key", report(5, now.Add(3*interval)), false)
	index.Delete(id("zoe"))
	want("the AdminUser is deleted", report(0, now.Add(3*interval)), true)
	ci := apiKey("", rights, ring.Digest(numbered(7)))
	ci.Identity = verify.Identity{Subject: "Account/ci"}
	index.Put(apiKeyID("ci"), ci)
	want("a key without an owner", report(7, now), false)
}

func TestShouldReportUse_OneOfManyConcurrentUses(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	verdict := verify.NewVerifier(index, format, ring).Verify(numbered(1), now)
	var reported atomic.Int32
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for i := range 1000 {
				if verdict.ShouldReportUse(now.Add(time.Duration(i)*time.Millisecond), interval) {
					reported.Add(1)
				}
			}
		})
	}
	asking.Wait()
	if reported.Load() != 1 {
		t.Errorf("reported %d times", reported.Load())
	}
}

func TestLastUsed(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	alice := admin("alice", ring.Digest(numbered(1)))
	for _, want := range []time.Time{{}, now, now.Add(time.Hour), {}} {
		alice.LastUsed = want
		if ended := index.Put(id("alice"), alice); len(ended) > 0 {
			t.Errorf("the last use ended %v", ended)
		}
		if got := verifier.LastUsed(id("alice")); !got.Equal(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := verifier.LastUsed(id("bob")); !got.IsZero() {
		t.Errorf("an unknown object was last used %s", got)
	}
}
