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
	"keywright.dev/keywright/internal/server/revocations"
	"keywright.dev/keywright/test/kit"
)

// endings collects published revocations.
type endings struct {
	mu  sync.Mutex
	all []pepper.Digest
}

func (e *endings) take(keys []pepper.Digest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, keys...)
}

func (e *endings) has(digest pepper.Digest) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.all, digest)
}

func (e *endings) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.all)
}

func TestEndsAreToldOfThroughTheWatch(t *testing.T) {
	ring := keyring(t)
	alices, bobs := ring.Digest(alicesKey), ring.Digest(bobsKey)
	for name, c := range map[string]struct {
		change func(*v1alpha1.AdminUser)
		ends   bool
	}{
		"disabled":      {func(u *v1alpha1.AdminUser) { u.Spec.Enabled = new(false) }, true},
		"demoted":       {func(u *v1alpha1.AdminUser) { u.Spec.Role = v1alpha1.RoleUser }, true},
		"being deleted": {func(u *v1alpha1.AdminUser) { u.DeletionTimestamp = new(metav1.Now()) }, true},
		"rotated":       {func(u *v1alpha1.AdminUser) { u.Status.Keys = []v1alpha1.KeyStatus{keyStatus("another-key-of-alice")} }, true},
		"rotated, with an overlap": {func(u *v1alpha1.AdminUser) {
			u.Status.Keys = []v1alpha1.KeyStatus{keyStatus("another-key-of-alice"), u.Status.Keys[0]}
		}, true},
		"about to be": {func(u *v1alpha1.AdminUser) {
			next := keyStatus("another-key-of-alice")
			next.Pending = true
			u.Status.Keys = append(u.Status.Keys, next)
		}, false},
		"used": {func(u *v1alpha1.AdminUser) { u.Status.LastUsedTime = new(metav1.Now()) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			told := &endings{}
			f := newFixtureWith(t, told.take)
			f.api.put(user("alice", alicesKey))
			f.api.put(user("bob", bobsKey))
			f.run()
			f.ready()
			changed := user("alice", alicesKey)
			c.change(changed)
			f.api.put(changed)
			marker := user("marker", "the-key-of-what-comes-after-it")
			f.api.put(marker)
			f.becomes("the-key-of-what-comes-after-it", verify.Accepted)
			if got := told.has(alices); got != c.ends {
				t.Errorf("told of: %t", got)
			}
			f.api.delete(changed)
			f.eventually("its end is told of", func() bool { return told.has(alices) })
			if told.has(bobs) {
				t.Error("another's key has ended")
			}
		})
	}
}

// All keys there are come at once when it begins, and whenever a watch begins anew.
func TestWhatWasThereFromTheBeginningHasNotEnded(t *testing.T) {
	told := &endings{}
	f := newFixtureWith(t, told.take)
	disabled := user("alice", alicesKey)
	disabled.Spec.Enabled = new(false)
	f.api.put(apiKeyObject("alices", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}, "an-api-key-of-alice"))
	f.api.put(disabled)
	f.api.put(user("bob", bobsKey))
	f.run()
	f.ready()
	f.becomes("an-api-key-of-alice", verify.OwnerDisabled)

	f.api.setDown(true)
	f.eventually("it is missed", func() bool { return f.feed.Age() > 0 })
	f.api.put(user("marker", "the-key-of-what-comes-after-it"))
	f.api.setDown(false)
	f.becomes("the-key-of-what-comes-after-it", verify.Accepted)
	if n := told.count(); n > 0 {
		t.Errorf("%d ends were told of", n)
	}

	f.api.setDown(true)
	f.eventually("it is missed", func() bool { return f.feed.Age() > 0 })
	f.api.delete(user("bob", bobsKey))
	f.api.setDown(false)
	f.eventually("what was missed is told of", func() bool { return told.has(keyring(t).Digest(bobsKey)) })
}

// Which kind is seen first is chance.
func TestUsersSeenAfterTheirKeysEndNoneAtFirst(t *testing.T) {
	told := &endings{}
	users, keys := newSink(&kit.Log{}), newKeySink()
	keys.index = users.index
	users.revocations, keys.revocations = revocations.New(told.take), revocations.New(told.take)
	disabled := user("alice", alicesKey)
	disabled.Spec.Enabled = new(false)

	keys.replace([]any{apiKeyObject("alices", v1alpha1.Subject{Kind: v1alpha1.SubjectUser, Name: "alice"}, bobsKey)})
	users.replace([]any{disabled})

	if got := keys.verify(t, bobsKey); got.Reason != verify.OwnerDisabled || told.count() > 0 {
		t.Errorf("the key is %s, and %d have ended", got.Reason, told.count())
	}
	users.put(user("alice", alicesKey))
	users.put(disabled)
	if told.count() != 2 {
		t.Errorf("%d have ended, of two", told.count())
	}
}

func TestAnOverlappingKeyIsNotCurrent(t *testing.T) {
	sink := newSink(&kit.Log{})
	u := user("alice", "the-pending-key-of-alice", "the-current-key-of-alice", "the-former-key-of-alice")
	u.Status.Keys[0].Pending = true
	sink.put(u)
	for presented, want := range map[string]bool{"the-pending-key-of-alice": true, "the-current-key-of-alice": true, "the-former-key-of-alice": false} {
		if got := sink.verify(t, presented); !got.Accepted() || got.Current() != want {
			t.Errorf("%s is %s, and current: %t", presented, got.Reason, got.Current())
		}
	}
	u.Status.Keys[1].Digest = "it can't be read, and is the current one all the same"
	sink.put(u)
	if sink.verify(t, "the-former-key-of-alice").Current() {
		t.Error("an old key is current where the current one can't be read")
	}
}

func TestTheLastUseIsTakenFromTheStatus(t *testing.T) {
	at := time.Unix(1_900_000_000, 0)
	sink, keys := newSink(&kit.Log{}), newKeySink()
	u, k := user("alice", alicesKey), apiKeyObject("k", ci, bobsKey)
	u.Status.LastUsedTime, k.Status.LastUsedTime = &metav1.Time{Time: at}, &metav1.Time{Time: at}
	sink.put(u)
	keys.put(k)
	for sink, id := range map[*holders]verify.ID{
		sink: {Kind: "AdminUser", Namespace: namespace, Name: "alice"}, keys: {Kind: "APIKey", Namespace: "default", Name: "k"},
	} {
		if got := verify.NewVerifier(sink.index, keyformat.Format{Prefix: keyformat.DefaultPrefix}, keyring(t)).LastUsed(id); !got.Equal(at) {
			t.Errorf("%+v was last used %s", id, got)
		}
	}
}

// BenchmarkEnds is what it costs that 100,000 keys go at once.
func BenchmarkEnds(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		told := 0
		sink := newKeySink()
		sink.revocations = revocations.New(func(keys []pepper.Digest) { told += len(keys) })
		records := make([]any, 100_000)
		for i := range records {
			records[i], _ = sink.condense(manyKeys(i))
		}
		sink.replace(records)
		if told > 0 {
			b.Fatal("the first fill was told of")
		}
		b.StartTimer()
		sink.replace(nil)
		if told != len(records) {
			b.Fatalf("%d ends were told of", told)
		}
	}
}
