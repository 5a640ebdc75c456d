package clusterwatch

import (
	"slices"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/keyformat"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/server/endedkeys"
	"keywright.dev/keywright/test/kit"
)

// keyCollector collects published keys.
type keyCollector struct {
	mu  sync.Mutex
	all []pepper.Digest
}

func (e *keyCollector) take(keys []pepper.Digest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, keys...)
}

func (e *keyCollector) has(digest pepper.Digest) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.all, digest)
}

func (e *keyCollector) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

func TestWatcher_PublishesEndedKeys(t *testing.T) {
	ring := keyring(t)
	alices, bobs := ring.Digest(alicesKey), ring.Digest(bobsKey)
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		ends   bool
	}{
		"disabled":      {func(u *v1alpha1.AdminUser) { u.Spec.State = v1alpha1.StateDisabled }, true},
		"demoted":       {func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser }, true},
		"being deleted": {func(u *v1alpha1.AdminUser) { u.DeletionTimestamp = new(metav1.Now()) }, true},
		"rotated": {func(u *v1alpha1.AdminUser) {
			u.Status.Keys = []v1alpha1.KeyStatus{keyStatus("another-key-of-alice")}
		}, true},
		"rotated, with an overlap": {func(u *v1alpha1.AdminUser) {
			u.Status.Keys[0].State = v1alpha1.KeyOverlapping
			u.Status.Keys = []v1alpha1.KeyStatus{keyStatus("another-key-of-alice"), u.Status.Keys[0]}
		}, true},
		"about to be rotated": {func(u *v1alpha1.AdminUser) {
			next := keyStatus("another-key-of-alice")
			next.State = v1alpha1.KeyPending
			u.Status.Keys = append(u.Status.Keys, next)
		}, false},
		"used": {func(u *v1alpha1.AdminUser) { u.Status.Usage.LastUsedAt = new(metav1.Now()) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			ended := &keyCollector{}
			f := newFixtureWith(t, ended.take)
			f.api.put(user("alice", alicesKey))
			f.api.put(user("bob", bobsKey))
			f.run()
			f.ready()
			changed := user("alice", alicesKey)
			c.change(changed)
			f.api.put(changed)
			marker := user("marker", "the-key-of-a-later-object")
			f.api.put(marker)
			f.becomes("the-key-of-a-later-object", verify.Accepted)
			if got := ended.has(alices); got != c.ends {
				t.Errorf("published: %t", got)
			}
			f.api.delete(changed)
			f.eventually("its end is published", func() bool { return ended.has(alices) })
			if ended.has(bobs) {
				t.Error("the key of another user has ended")
			}
		})
	}
}

// The first list of a watch, and that of a restarted one, has all keys.
func TestWatcher_FirstListPublishesNothing(t *testing.T) {
	ended := &keyCollector{}
	f := newFixtureWith(t, ended.take)
	disabled := user("alice", alicesKey)
	disabled.Spec.State = v1alpha1.StateDisabled
	f.api.put(apiKeyObject("alices", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}, "an-api-key-of-alice"))
	f.api.put(disabled)
	f.api.put(user("bob", bobsKey))
	f.run()
	f.ready()
	f.becomes("an-api-key-of-alice", verify.OwnerDisabled)

	f.api.setDown(true)
	f.eventually("the API server is missed", func() bool { return f.watcher.Failing() != nil })
	f.api.put(user("marker", "the-key-of-a-later-object"))
	f.api.setDown(false)
	f.becomes("the-key-of-a-later-object", verify.Accepted)
	if n := ended.count(); n > 0 {
		t.Errorf("%d ended keys were published", n)
	}

	f.api.setDown(true)
	f.eventually("the API server is missed", func() bool { return f.watcher.Failing() != nil })
	f.api.delete(user("bob", bobsKey))
	f.api.setDown(false)
	f.eventually("the missed revocation is published", func() bool { return ended.has(keyring(t).Digest(bobsKey)) })
}

// The kinds are listed in any order.
func TestWatcher_UsersListedAfterTheirKeysPublishNothing(t *testing.T) {
	ended := &keyCollector{}
	users, keys := newHandler(&kit.Log{}), newAPIKeyHandler()
	keys.index = users.index
	users.endedKeys, keys.endedKeys = endedkeys.New(ended.take), endedkeys.New(ended.take)
	disabled := user("alice", alicesKey)
	disabled.Spec.State = v1alpha1.StateDisabled

	keys.replace([]any{apiKeyObject("alices", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}, bobsKey)})
	users.replace([]any{disabled})

	if got := keys.verify(t, bobsKey); got.Reason != verify.OwnerDisabled || ended.count() > 0 {
		t.Errorf("the key is %s, and %d have ended", got.Reason, ended.count())
	}
	users.put(user("alice", alicesKey))
	users.put(disabled)
	if ended.count() != 2 {
		t.Errorf("%d of two keys have ended", ended.count())
	}
}

func TestKeyObjects_OverlappingKeyIsNotCurrent(t *testing.T) {
	handler := newHandler(&kit.Log{})
	u := user("alice", "the-pending-key-of-alice", "the-current-key-of-alice", "the-former-key-of-alice")
	u.Status.Keys[0].State, u.Status.Keys[1].State = v1alpha1.KeyPending, v1alpha1.KeyCurrent
	handler.put(u)
	for presented, want := range map[string]bool{"the-pending-key-of-alice": true, "the-current-key-of-alice": true,
		"the-former-key-of-alice": false} {
		if got := handler.verify(t, presented); !got.Accepted() || got.Current() != want {
			t.Errorf("%s is %s, and current: %t", presented, got.Reason, got.Current())
		}
	}
	u.Status.Keys[1].Digest = "unreadable, but still the current one"
	handler.put(u)
	if handler.verify(t, "the-former-key-of-alice").Current() {
		t.Error("an old key is current although the current one is unreadable")
	}
}

func TestKeyObjects_LastUseComesFromStatus(t *testing.T) {
	at := time.Unix(1_900_000_000, 0)
	handler, keys := newHandler(&kit.Log{}), newAPIKeyHandler()
	u, k := user("alice", alicesKey), apiKeyObject("k", ci, bobsKey)
	u.Status.Usage.LastUsedAt, k.Status.Usage.LastUsedAt = &metav1.Time{Time: at}, &metav1.Time{Time: at}
	handler.put(u)
	keys.put(k)
	for handler, id := range map[*keyObjects]verify.ID{
		handler: {Kind: "AdminUser", Namespace: namespace, Name: "alice"}, keys: {Kind: "APIKey", Namespace: "default",
			Name: "k"},
	} {
		if got := verify.NewVerifier(handler.index, keyformat.Format{Prefix: keyformat.DefaultPrefix},
			keyring(t)).LastUsed(id); !got.Equal(at) {
			t.Errorf("%+v was last used %s", id, got)
		}
	}
}

// BenchmarkEnds measures the end of 100,000 keys at once.
func BenchmarkEnds(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		ended := 0
		handler := newAPIKeyHandler()
		handler.endedKeys = endedkeys.New(func(keys []pepper.Digest) { ended += len(keys) })
		records := make([]any, 100_000)
		for i := range records {
			records[i], _ = handler.trim(manyKeys(i))
		}
		handler.replace(records)
		if ended > 0 {
			b.Fatal("the first list published keys")
		}
		b.StartTimer()
		handler.replace(nil)
		if ended != len(records) {
			b.Fatalf("%d ended keys were published", ended)
		}
	}
}
