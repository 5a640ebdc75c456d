package verify_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

// While thousands of keys come and go and tables are replaced, a key that stays is accepted at every instant,
// and a removed key is refused as soon as Put has returned.
func TestIndex_ReadersNeverMissAKeyThatStays(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	staying := ring.Digest(numbered(0))
	index.Put(id("alice"), admin("alice", staying))

	var done atomic.Bool
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				if v := verifier.Verify(numbered(0), now); !v.Accepted() || v.Identity().Username != "alice" {
					t.Errorf("%s as %q", v.Reason, v.Identity().Username)
					return
				}
			}
		})
	}
	writers.Go(func() { // rotates a second key of the same object
		for i := uint64(1); i < 3000; i++ {
			index.Put(id("alice"), admin("alice", staying, ring.Digest(numbered(i))))
			if i > 1 && verifier.Verify(numbered(i-1), now).Accepted() {
				t.Errorf("key %d outlived its rotation", i-1)
			}
		}
	})
	writers.Go(func() { // puts other objects until the table has grown several times
		for i := uint64(10_000); i < 13_000; i++ {
			name := fmt.Sprint("user", i)
			index.Put(id(name), admin(name, ring.Digest(numbered(i))))
			if !verifier.Verify(numbered(i), now).Accepted() {
				t.Errorf("key %d is not accepted after it was put", i)
			}
			if i%2 == 0 {
				index.Delete(id(name))
			}
		}
	})
	writers.Wait()
	done.Store(true)
	readers.Wait()
	if want := 1 + 1 + 1500; index.Len() != want {
		t.Errorf("%d keys, want %d", index.Len(), want)
	}
}

// At every instant one of the two is accepted: the object that stays if last is accepted before the last other
// admin goes, and refused after another has come.
func TestIndex_LastAdminTakesOverWithoutAGap(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	// The more keys there are, the longer a gap would be.
	const many = 100
	var bobs []pepper.Digest
	for i := range uint64(many) {
		bobs = append(bobs, ring.Digest(numbered(2+i)))
	}
	staying, other := admin("alice", ring.Digest(numbered(1))), admin("bob", bobs...)
	staying.Standing, staying.StaysIfLast = verify.Deleted, true
	index.Put(id("alice"), staying)
	index.Put(id("bob"), other)
	// As soon as one is refused, the other has to be accepted.
	handover := func(from, to uint64, standing verify.Reason) {
		var written atomic.Bool
		var reader sync.WaitGroup
		reader.Go(func() {
			for verifier.Verify(numbered(from), now).Accepted() && !written.Load() {
				runtime.Gosched()
			}
			if v := verifier.Verify(numbered(to), now); !v.Accepted() {
				t.Errorf("key %d is refused, and key %d is %s", from, to, v.Reason)
			}
		})
		other.Standing = standing
		index.Put(id("bob"), other)
		written.Store(true)
		reader.Wait()
		if verifier.Verify(numbered(from), now).Accepted() {
			t.Errorf("key %d is accepted after the handover", from)
		}
	}
	for i := 0; i < 100 && !t.Failed(); i++ {
		handover(2, 1, verify.Disabled)
		handover(1, 1+many, verify.Accepted)
	}
}

// While requests are decided, a user to whom one of two bindings always gives the role may use it at every instant, and
// a deleted binding gives nothing once DeleteBinding has returned. Readers do not cache what was true before.
func TestIndex_BindingsTakeEffectAtOnce(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	verifier := verify.NewVerifier(index, format, ring)
	rights := access.Rights{Scopes: []string{"certs.read"}}
	index.Put(apiKeyID("alices"), apiKey("alice", rights, ring.Digest(numbered(1))))
	index.Put(apiKeyID("bobs"), apiKey("bob", rights, ring.Digest(numbered(2))))
	index.PutRole("reader", reader())
	always, sometimes := access.Binding{Role: "reader", Users: []string{"alice"}}, bindingOf(0)
	sometimes.Users = append(sometimes.Users, "bob")
	index.PutBinding("one", always)

	var done atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				if v := verifier.Verify(numbered(1), now); len(verifier.Scopes(v)) != 1 || !verifier.UserMay("alice", certsRead) {
					t.Error("alice may not read between two bindings")
					return
				}
				verifier.Scopes(verifier.Verify(numbered(2), now))
			}
		})
	}
	expect := func(want int) {
		if got := len(verifier.Scopes(verifier.Verify(numbered(2), now))); got != want {
			t.Errorf("bob may use %d scopes, want %d", got, want)
		}
	}
	names := [2]string{"one", "two"}
	for i := 0; i < 2000 && !t.Failed(); i++ {
		index.PutBinding(names[(i+1)%2], always)
		index.DeleteBinding(names[i%2])
		index.PutBinding("bobs", sometimes)
		expect(1)
		index.DeleteBinding("bobs")
		expect(0)
	}
	done.Store(true)
	readers.Wait()
}

var certsRead = access.Request{Action: "certs.read", Resource: "certificate:42"}
