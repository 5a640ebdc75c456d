package issuer

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// seenAt is alice, and her Secret if it has a version, as a cache has them.
func seenAt(object, secret string) (*Holder, *metav1.PartialObjectMetadata) {
	h := holderNamed("alice")
	h.Object.SetResourceVersion(object)
	if secret == "" {
		return h, nil
	}
	s := SecretMetadata()
	s.Name, s.ResourceVersion = h.Spec.SecretName, secret
	return h, s
}

func TestWhatIsOlderThanWhatWasWrittenIsBehind(t *testing.T) {
	for name, c := range map[string]struct {
		wrote          versions
		object, secret string
		want           bool
	}{
		"nothing was written":                       {versions{}, "1", "1", false},
		"an older object":                           {versions{object: "10"}, "9", "", true},
		"the object as written":                     {versions{object: "10"}, "10", "", false},
		"a newer object":                            {versions{object: "9"}, "10", "", false},
		"an older Secret":                           {versions{object: "10", secret: "9"}, "10", "8", true},
		"the Secret as written":                     {versions{object: "10", secret: "9"}, "10", "9", false},
		"an old Secret where the object is written": {versions{object: "10"}, "10", "3", false},
		"a Secret that is not in sight":             {versions{object: "10", secret: "9"}, "10", "", false},
		"an older object, only a Secret written":    {versions{secret: "9"}, "3", "9", false},
		"what has no order":                         {versions{object: "10"}, "x", "", false},
	} {
		var w written
		h, secret := seenAt(c.object, c.secret)
		w.note(h, c.wrote)
		if got := w.behind(h, secret); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestACacheThatHasFollowedOnceIsBelieved(t *testing.T) {
	var w written
	h, _ := seenAt("9", "")
	w.note(h, versions{object: "10"})
	if first, second := w.behind(h, nil), w.behind(h, nil); !first || !second {
		t.Fatal("it is not behind for as long as it takes")
	}
	followed, _ := seenAt("10", "")
	if w.behind(followed, nil) || w.behind(h, nil) || len(w.last) != 0 {
		t.Error("something is remembered that is of no use any more")
	}
}

func TestOneNameIsNotAnother(t *testing.T) {
	var w written
	h, _ := seenAt("9", "")
	w.note(h, versions{object: "10"})
	if other := holderNamed("bob"); w.behind(other, nil) {
		t.Error("bob waits for alice")
	}
	successor, _ := seenAt("9", "")
	successor.Object.SetUID(types.UID("uid-2"))
	if w.behind(successor, nil) {
		t.Error("a successor waits for the object before it")
	}
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	var w written
	h, _ := seenAt("9", "")
	w.note(h, versions{object: "10"})
	w.forget(h.id())
	if w.behind(h, nil) {
		t.Error("it is waited for")
	}
}

// A Secret that was not written in that run has an old version for good: nothing would ever end the wait for a newer one.
func TestAnotherSecretIsNotBehind(t *testing.T) {
	var w written
	h, _ := seenAt("10", "")
	h.Spec.SecretName = "new"
	w.note(h, versions{object: "10", secret: "9"})
	back, secret := seenAt("11", "3")
	if w.behind(back, secret) {
		t.Error("a Secret that the object returned to is waited for")
	}
}

func TestARunThatWasBehindIsNoSuccess(t *testing.T) {
	b := newBench(t)
	b.deny = func(string) error { return errFail }
	before := b.user()
	for at := noon; at.Before(noon.Add(4 * maxPause)); at = at.Add(maxPause) {
		b.clock.SetTime(at)
		if _, err := b.run(); err == nil {
			t.Fatal("a write went well")
		}
	}
	b.clock.SetTime(noon.Add(4 * maxPause))
	h := holderNamed("alice")
	h.Object = before
	tries := b.pace.held[h.id()].tries
	if result, err := b.Run(t.Context(), h); err != nil || !result.IsZero() {
		t.Fatalf("got %+v, %v", result, err)
	}
	if left := b.pace.held[h.id()].tries; left != tries || tries != 4 {
		t.Errorf("%d tries are remembered, and then %d", tries, left)
	}
}

func TestARunNotesWhatItWroteUntilTheObjectIsGone(t *testing.T) {
	b := newBench(t)
	if _, err := b.run(); err != nil {
		t.Fatal(err)
	}
	user := b.user()
	id := holderNamed("alice").id()
	if got := b.written.last[id]; got.object != user.ResourceVersion || got.secret == "" || got.uid != user.UID {
		t.Errorf("noted %+v, the object is at %s", got, user.ResourceVersion)
	}
	if err := b.RemoveOrphans(t.Context(), "AdminUser", client.ObjectKeyFromObject(user)); err != nil {
		t.Fatal(err)
	}
	if _, is := b.written.last[id]; is {
		t.Error("an object that is gone is remembered")
	}
}
