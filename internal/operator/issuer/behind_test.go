package issuer

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestACacheIsBehindUntilItHasFollowed(t *testing.T) {
	at := func(version string) *Holder {
		h := holderNamed("alice")
		h.Object.SetResourceVersion(version)
		return h
	}
	secretAt := func(version string) *metav1.PartialObjectMetadata {
		s := SecretMetadata()
		s.ResourceVersion = version
		return s
	}
	former := at("5")
	former.Object.SetUID("another")
	for name, c := range map[string]struct {
		wrote  versions
		holder *Holder
		secret *metav1.PartialObjectMetadata
		behind bool
	}{
		"nothing was written":              {versions{}, at("1"), secretAt("1"), false},
		"the object is older":              {versions{object: "10"}, at("9"), nil, true},
		"the object is that":               {versions{object: "10"}, at("10"), nil, false},
		"the object is newer":              {versions{object: "9"}, at("10"), nil, false},
		"the Secret is older":              {versions{object: "10", secret: "12"}, at("10"), secretAt("11"), true},
		"the Secret is that":               {versions{object: "10", secret: "12"}, at("10"), secretAt("12"), false},
		"the Secret is gone, or not there": {versions{object: "10", secret: "12"}, at("10"), nil, false},
		"another object of that name":      {versions{object: "10"}, former, nil, false},
		"a version nobody can compare":     {versions{object: "10"}, at("x"), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var w written
			w.note(at(""), c.wrote)
			if got := w.behind(c.holder, c.secret); got != c.behind {
				t.Fatalf("behind: %t", got)
			}
			if len(w.last) > 0 != c.behind {
				t.Fatalf("remembered though the cache has followed, or forgotten before: %v", w.last)
			}
		})
	}
}

func TestWhatWasWrittenIsForgottenWithItsObject(t *testing.T) {
	var w written
	h := holderNamed("alice")
	w.note(h, versions{object: "10"})
	w.forget(h.id())
	if len(w.last) != 0 {
		t.Fatal("remembered")
	}
}

// A run on a version that the object no longer has does nothing: what it would decide would be refused.
func TestARunOnAnOldVersionIsNone(t *testing.T) {
	b := newBench(t)
	old := b.user().DeepCopy()
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	before := b.user().ResourceVersion
	h := holderNamed("alice")
	h.Object = old
	b.events.Take()
	if result, err := b.Run(t.Context(), h); err != nil || result.RequeueAfter != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if b.user().ResourceVersion != before || len(b.events.Take()) != 0 {
		t.Fatal("it did something")
	}
}
