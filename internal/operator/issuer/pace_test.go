package issuer

import (
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

func holderNamed(name string) *Holder {
	user := &v1alpha1.AdminUser{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: "uid-1", Generation: 1}}
	return &Holder{
		Object: user,
		Spec:   lifecycle.Spec{SecretName: name + "-admin-key"},
	}
}

var (
	noon    = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)
	errFail = errors.New("a write failed")
)

func TestPausesGrow(t *testing.T) {
	p, h, now := &pace{}, holderNamed("alice"), noon
	if p.wait(h, now) != 0 {
		t.Fatal("held back before anything failed")
	}
	for try, want := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond,
		3200 * time.Millisecond, 6400 * time.Millisecond, 12800 * time.Millisecond, 25600 * time.Millisecond, 51200 * time.Millisecond,
		time.Minute, time.Minute,
	} {
		p.note(h, errFail, now)
		if got := p.wait(h, now); got != want {
			t.Fatalf("after failure %d: %v, want %v", try+1, got, want)
		}
		now = now.Add(want)
		if got := p.wait(h, now); got != 0 {
			t.Fatalf("%v left after the pause", got)
		}
	}
	for range 100 {
		p.note(h, errFail, now)
	}
	if got := p.wait(h, now); got != time.Minute {
		t.Fatalf("after many failures: %v", got)
	}
}

func TestAPauseEnds(t *testing.T) {
	for name, end := range map[string]func(*pace, *Holder){
		"with a success":             func(p *pace, h *Holder) { p.note(h, nil, noon) },
		"with the object":            func(p *pace, h *Holder) { p.forget(h.id()) },
		"with an edit":               func(_ *pace, h *Holder) { h.Object.SetGeneration(2) },
		"with a wish for a rotation": func(_ *pace, h *Holder) { h.Spec.RotateRequest = "please" },
		"for another object of this name": func(_ *pace, h *Holder) {
			h.Object.SetUID("uid-2")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, h := &pace{}, holderNamed("alice")
			for range 5 {
				p.note(h, errFail, noon)
			}
			end(p, h)
			if got := p.wait(h, noon); got != 0 {
				t.Fatalf("still held back for %v", got)
			}
			p.note(h, errFail, noon)
			if got := p.wait(h, noon); got != firstPause {
				t.Fatalf("the next pause is %v, want the first again", got)
			}
		})
	}
}

func TestAPauseIsOneObjectsOwn(t *testing.T) {
	p, alice, bob, other := &pace{}, holderNamed("alice"), holderNamed("bob"), holderNamed("alice")
	other.Object = &v1alpha1.APIKey{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "alice", UID: "uid-1", Generation: 1}}
	p.note(alice, errFail, noon)
	if p.wait(bob, noon) != 0 || p.wait(other, noon) != 0 {
		t.Fatal("somebody else is held back")
	}
	p.note(bob, nil, noon)
	if p.wait(alice, noon) == 0 {
		t.Fatal("somebody else's success ended the pause")
	}
}
