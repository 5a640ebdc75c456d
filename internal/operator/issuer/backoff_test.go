package issuer

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

func targetNamed(name string) *Target {
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: "uid-1", Generation: 1}}
	return &Target{
		Object: user,
		Spec:   lifecycle.Spec{SecretName: name + "-admin-key"},
	}
}

var (
	noon     = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	errWrite = errors.New("a write failed")
)

func TestBackoff_DelaysGrow(t *testing.T) {
	b, alice, now := &backoff{}, targetNamed("alice"), noon
	if b.remaining(alice, now) != 0 {
		t.Fatal("delayed before any failure")
	}
	for n, want := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond,
		1600 * time.Millisecond, 3200 * time.Millisecond, 6400 * time.Millisecond, 12800 * time.Millisecond,
		25600 * time.Millisecond, 51200 * time.Millisecond, time.Minute, time.Minute,
	} {
		b.record(alice, errWrite, now)
		if got := b.remaining(alice, now); got != want {
			t.Fatalf("after failure %d: %v, want %v", n+1, got, want)
		}
		now = now.Add(want)
		if got := b.remaining(alice, now); got != 0 {
			t.Fatalf("%v left after the delay", got)
		}
	}
	for range 100 {
		b.record(alice, errWrite, now)
	}
	if got := b.remaining(alice, now); got != time.Minute {
		t.Fatalf("after many failures: %v", got)
	}
}

func TestBackoff_Ends(t *testing.T) {
	for name, end := range map[string]func(*backoff, *Target){
		"with a success":                  func(b *backoff, t *Target) { b.record(t, nil, noon) },
		"with the object":                 func(b *backoff, t *Target) { b.reset(t.id()) },
		"with an edit":                    func(_ *backoff, t *Target) { t.Object.SetGeneration(2) },
		"with a rotation request":         func(_ *backoff, t *Target) { t.Spec.RotateRequest = "please" },
		"for another object of this name": func(_ *backoff, t *Target) { t.Object.SetUID("uid-2") },
	} {
		t.Run(name, func(t *testing.T) {
			b, alice := &backoff{}, targetNamed("alice")
			for range 5 {
				b.record(alice, errWrite, noon)
			}
			end(b, alice)
			if got := b.remaining(alice, noon); got != 0 {
				t.Fatalf("still delayed by %v", got)
			}
			b.record(alice, errWrite, noon)
			if got := b.remaining(alice, noon); got != firstDelay {
				t.Fatalf("the next delay is %v, want the first again", got)
			}
		})
	}
}

func TestBackoff_BelongsToOneObject(t *testing.T) {
	b, alice, bob, other := &backoff{}, targetNamed("alice"), targetNamed("bob"), targetNamed("alice")
	other.Object = &v1alpha1.APIKey{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "alice", UID: "uid-1", Generation: 1},
	}
	b.record(alice, errWrite, noon)
	if b.remaining(bob, noon) != 0 || b.remaining(other, noon) != 0 {
		t.Fatal("another object is delayed")
	}
	b.record(bob, nil, noon)
	if b.remaining(alice, noon) == 0 {
		t.Fatal("a success of another object ended the delay")
	}
}
