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

// sessionKeys returns the keys that sessions may rest on, apart from their end.
func (w *fixture) sessionKeys(m *model) (digests []pepper.Digest) {
	for _, d := range w.digests {
		h, k, ok := m.object(d)
		if ok && !k.Overlapping && m.standing(&h) == verify.Accepted && m.ofUser(&h) == verify.Accepted {
			digests = append(digests, d)
		}
	}
	return digests
}

// ended returns the keys of before that are not session keys any more.
func (w *fixture) ended(before []pepper.Digest, m *model) []pepper.Digest {
	after := w.sessionKeys(m)
	return slices.DeleteFunc(before, func(d pepper.Digest) bool { return slices.Contains(after, d) })
}

// compareEnded allows for keys that were not session keys before: objects change one after the other.
func (w *fixture) compareEnded(t *rapid.T, got, before []pepper.Digest, m *model) {
	w.includeEnded(t, got, before, m)
	for _, d := range w.sessionKeys(m) {
		if slices.Contains(got, d) {
			t.Fatalf("%v has not ended, but the index returned %v", d, got)
		}
	}
}

// includeEnded allows for several changes at once, where one restores a key that another has ended.
func (w *fixture) includeEnded(t *rapid.T, got, before []pepper.Digest, m *model) {
	for _, d := range w.ended(before, m) {
		if !slices.Contains(got, d) {
			t.Fatalf("%v has ended, but the index returned %v", d, got)
		}
	}
}

func TestPut_ReturnsEndedKeys(t *testing.T) {
	ring := keyring(t)
	first, second := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	for name, c := range map[string]struct {
		change func(*verify.KeyObject)
		ends   bool
	}{
		"nothing":       {func(*verify.KeyObject) {}, false},
		"disabled":      {func(h *verify.KeyObject) { h.Standing = verify.Disabled }, true},
		"demoted":       {func(h *verify.KeyObject) { h.Standing = verify.Demoted }, true},
		"being deleted": {func(h *verify.KeyObject) { h.Standing = verify.Deleted }, true},
		"revoked":       {func(h *verify.KeyObject) { h.Standing = verify.Revoked }, true},
		"rotated":       {func(h *verify.KeyObject) { h.Keys = []verify.Key{{Digest: second}} }, true},
		"rotated with an overlap": {func(h *verify.KeyObject) {
			h.Keys = []verify.Key{{Digest: second}, {Digest: first, Overlapping: true}}
		}, true},
		"pending successor": {func(h *verify.KeyObject) { h.Keys = []verify.Key{{Digest: second}, {Digest: first}} }, false},
		"given an end":      {func(h *verify.KeyObject) { h.Keys[0].ExpiresAt = now }, false},
		"recreated, older":  {func(h *verify.KeyObject) { h.UID, h.Created = "another", h.Created.Add(-time.Hour) }, false},
		"recreated, newer":  {func(h *verify.KeyObject) { h.UID, h.Created = "another", h.Created.Add(time.Hour) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			index := &verify.Index{}
			if ended := index.Put(id("alice"), admin("alice", first)); len(ended) > 0 {
				t.Fatalf("a new object ended %v", ended)
			}
			h := admin("alice", first)
			c.change(&h)
			if ended := index.Put(id("alice"), h); slices.Contains(ended, first) != c.ends || len(ended) > 1 {
				t.Errorf("ended %v, want the key among them: %t", ended, c.ends)
			}
			if ended := index.Put(id("alice"), h); len(ended) > 0 {
				t.Errorf("put again: ended %v", ended)
			}
			if ended := index.Delete(id("alice")); slices.Contains(ended, first) == c.ends {
				t.Errorf("the deletion ended %v", ended)
			}
		})
	}
}

func TestPut_DisabledUserEndsKeysOfOtherObjects(t *testing.T) {
	ring, index := keyring(t), &verify.Index{}
	own, rights := ring.Digest(numbered(1)), ring.Digest(numbered(2))
	index.Put(id("alice"), admin("alice", own))
	index.Put(apiKeyID("alices"), apiKey("alice", access.Rights{}, rights))
	disabled := admin("alice", own)
	disabled.Standing, disabled.Disabled = verify.Disabled, true
	if ended := index.Put(id("alice"), disabled); len(ended) != 2 {
		t.Errorf("ended %v", ended)
	}
}

func TestSetBootstrap_ReturnsEndedKey(t *testing.T) {
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
