package verify_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
)

// carrying are the keys that sessions may rest on, time aside.
func (w *world) carrying(m *model) (digests []pepper.Digest) {
	for _, d := range w.digests {
		h, k, ok := m.holder(d)
		if ok && !k.Overlapping && m.standing(&h) == verify.Accepted && m.ofUser(&h) == verify.Accepted {
			digests = append(digests, d)
		}
	}
	return digests
}

// ended are those that were carrying before and are not any more.
func (w *world) ended(before []pepper.Digest, m *model) []pepper.Digest {
	after := w.carrying(m)
	return slices.DeleteFunc(before, func(d pepper.Digest) bool { return slices.Contains(after, d) })
}

// compareEnded takes more than has ended, where that has carried none before: objects change places one after the other.
func (w *world) compareEnded(t *rapid.T, got, before []pepper.Digest, m *model) {
	w.includeEnded(t, got, before, m)
	for _, d := range w.carrying(m) {
		if slices.Contains(got, d) {
			t.Fatalf("%v has not ended, and of %v it was told", d, got)
		}
	}
}

// includeEnded is for many changes at once, of which one may bring back what another has ended.
func (w *world) includeEnded(t *rapid.T, got, before []pepper.Digest, m *model) {
	for _, d := range w.ended(before, m) {
		if !slices.Contains(got, d) {
			t.Fatalf("%v has ended, and only of %v it was told", d, got)
		}
	}
}

func TestWhatEndsAKey(t *testing.T) {
	ring := keyring(t)
	first, second := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	for name, c := range map[string]struct {
		change func(*verify.KeyObject)
		ends   bool
	}{
		"nothing":          {func(*verify.KeyObject) {}, false},
		"disabled":         {func(h *verify.KeyObject) { h.Standing = verify.Disabled }, true},
		"demoted":          {func(h *verify.KeyObject) { h.Standing = verify.Demoted }, true},
		"being deleted":    {func(h *verify.KeyObject) { h.Standing = verify.Deleted }, true},
		"revoked":          {func(h *verify.KeyObject) { h.Standing = verify.Revoked }, true},
		"rotated":          {func(h *verify.KeyObject) { h.Keys = []verify.Key{{Digest: second}} }, true},
		"with an overlap":  {func(h *verify.KeyObject) { h.Keys = []verify.Key{{Digest: second}, {Digest: first, Overlapping: true}} }, true},
		"about to be":      {func(h *verify.KeyObject) { h.Keys = []verify.Key{{Digest: second}, {Digest: first}} }, false},
		"given an end":     {func(h *verify.KeyObject) { h.Keys[0].NotAfter = now }, false},
		"recreated, older": {func(h *verify.KeyObject) { h.UID, h.Created = "another", h.Created.Add(-time.Hour) }, false},
		"recreated, newer": {func(h *verify.KeyObject) { h.UID, h.Created = "another", h.Created.Add(time.Hour) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			index := &verify.Index{}
			if ended := index.Put(id("alice"), admin("alice", first)); len(ended) > 0 {
				t.Fatalf("a new object ended %v", ended)
			}
			h := admin("alice", first)
			c.change(&h)
			if ended := index.Put(id("alice"), h); slices.Contains(ended, first) != c.ends || len(ended) > 1 {
				t.Errorf("ended %v, want that: %t", ended, c.ends)
			}
			if ended := index.Put(id("alice"), h); len(ended) > 0 {
				t.Errorf("said again: %v", ended)
			}
			if ended := index.Delete(id("alice")); slices.Contains(ended, first) == c.ends {
				t.Errorf("the end of the object ended %v", ended)
			}
		})
	}
}

func TestADisabledUserEndsTheKeysOfOtherObjects(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	own, given := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	index.Put(id("alice"), admin("alice", own))
	index.Put(apiKeyID("alices"), apiKey("alice", access.Given{}, given))
	disabled := admin("alice", own)
	disabled.Standing, disabled.Disabled = verify.Disabled, true
	if ended := index.Put(id("alice"), disabled); len(ended) != 2 {
		t.Errorf("ended %v", ended)
	}
}

func TestAnotherBootstrapKeyEndsTheOneBefore(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	first, second := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	if ended := index.SetBootstrap(&first); len(ended) > 0 {
		t.Errorf("the first ended %v", ended)
	}
	if ended := index.SetBootstrap(&first); len(ended) > 0 {
		t.Errorf("the same ended %v", ended)
	}
	if ended := index.SetBootstrap(&second); len(ended) != 1 || ended[0] != first {
		t.Errorf("the second ended %v", ended)
	}
	if ended := index.SetBootstrap(nil); len(ended) != 1 || ended[0] != second {
		t.Errorf("none ended %v", ended)
	}
}
