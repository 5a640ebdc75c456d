package verify_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"keywright.dev/keywright/internal/verify"
)

const every = 30 * time.Second

func TestAUseIsToldOfOnceInAWhile(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	alice := admin("alice", ring.Digest(numbered(1)), ring.Digest(numbered(2)))
	index.Put(id("alice"), alice)
	index.Put(id("bob"), admin("bob", ring.Digest(numbered(3))))
	verifier := verify.NewVerifier(index, format, ring)
	tells := func(key uint64, at time.Time) bool { return verifier.Verify(numbered(key), at).Tells(at, every) }
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

func TestOfManyAtOnceOneIsToldOf(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	index.Put(id("alice"), admin("alice", ring.Digest(numbered(1))))
	verdict := verify.NewVerifier(index, format, ring).Verify(numbered(1), now)
	var told atomic.Int32
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for i := range 1000 {
				if verdict.Tells(now.Add(time.Duration(i)*time.Millisecond), every) {
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
