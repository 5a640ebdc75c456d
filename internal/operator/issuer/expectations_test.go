package issuer

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cachedAt returns alice, and her Secret if it has a version, as a cache shows them.
func cachedAt(object, secret string) (*Target, *metav1.PartialObjectMetadata) {
	target := targetNamed("alice")
	target.Object.SetResourceVersion(object)
	if secret == "" {
		return target, nil
	}
	s := SecretMetadata()
	s.Name, s.ResourceVersion = target.Spec.SecretName, secret
	return target, s
}

func TestExpectations_MetOnceCacheHasWrittenVersions(t *testing.T) {
	for name, c := range map[string]struct {
		written        versions
		object, secret string
		met            bool
	}{
		"nothing was written":                     {versions{}, "1", "1", true},
		"an older object":                         {versions{object: "10"}, "9", "", false},
		"the object as written":                   {versions{object: "10"}, "10", "", true},
		"a newer object":                          {versions{object: "9"}, "10", "", true},
		"an older Secret":                         {versions{object: "10", secret: "9"}, "10", "8", false},
		"an older Secret by number, not by text":  {versions{object: "10", secret: "12"}, "10", "11", false},
		"the Secret as written":                   {versions{object: "10", secret: "9"}, "10", "9", true},
		"a newer Secret":                          {versions{object: "10", secret: "9"}, "10", "12", true},
		"an old Secret, only the object written":  {versions{object: "10"}, "10", "3", true},
		"a Secret that is gone or not cached yet": {versions{object: "10", secret: "9"}, "10", "", true},
		"an older object, only a Secret written":  {versions{secret: "9"}, "3", "9", true},
		"versions that do not compare":            {versions{object: "10"}, "x", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			var e expectations
			target, secret := cachedAt(c.object, c.secret)
			e.record(target, c.written)
			if got := e.met(target, secret); got != c.met {
				t.Fatalf("met: %t", got)
			}
			if len(e.expected) > 0 == c.met {
				t.Fatalf("kept after they were met, or dropped before: %v", e.expected)
			}
		})
	}
}

func TestExpectations_StayMet(t *testing.T) {
	var e expectations
	target, _ := cachedAt("9", "")
	e.record(target, versions{object: "10"})
	if first, second := e.met(target, nil), e.met(target, nil); first || second {
		t.Fatal("met while the cache is behind")
	}
	current, _ := cachedAt("10", "")
	if !e.met(current, nil) || !e.met(target, nil) || len(e.expected) != 0 {
		t.Error("an expectation is kept after it was met")
	}
}

func TestExpectations_BelongToOneObject(t *testing.T) {
	var e expectations
	target, _ := cachedAt("9", "")
	e.record(target, versions{object: "10"})
	if other := targetNamed("bob"); !e.met(other, nil) {
		t.Error("bob waits for alice")
	}
	successor, _ := cachedAt("9", "")
	successor.Object.SetUID(types.UID("uid-2"))
	if !e.met(successor, nil) || len(e.expected) != 0 {
		t.Error("an object waits for the deleted one of its name")
	}
}

func TestExpectations_Reset(t *testing.T) {
	var e expectations
	target, _ := cachedAt("9", "")
	e.record(target, versions{object: "10"})
	e.reset(target.id())
	if !e.met(target, nil) || len(e.expected) != 0 {
		t.Error("an expectation is kept after a reset")
	}
}

// A Secret that the run did not write keeps its old version: waiting for a newer one would never end.
func TestExpectations_IgnoreAnotherSecret(t *testing.T) {
	var e expectations
	target, _ := cachedAt("10", "")
	target.Spec.SecretName = "new"
	e.record(target, versions{object: "10", secret: "9"})
	back, secret := cachedAt("11", "3")
	if !e.met(back, secret) {
		t.Error("a Secret that the object returned to is waited for")
	}
}

func TestRun_OnStaleCacheDoesNotResetBackoff(t *testing.T) {
	f := newFixture(t)
	f.deny = func(string) error { return errWrite }
	before := f.user()
	for at := noon; at.Before(noon.Add(4 * maxDelay)); at = at.Add(maxDelay) {
		f.clock.SetTime(at)
		if _, err := f.run(); err == nil {
			t.Fatal("a write succeeded")
		}
	}
	f.clock.SetTime(noon.Add(4 * maxDelay))
	target := targetNamed("alice")
	target.Object = before
	failures := f.backoff.failures[target.id()].count
	if result, err := f.Run(t.Context(), target); err != nil || !result.IsZero() {
		t.Fatalf("got %+v, %v", result, err)
	}
	if now := f.backoff.failures[target.id()].count; now != failures || failures != 4 {
		t.Errorf("%d failures are counted, and then %d", failures, now)
	}
}

// A run on a stale version does nothing: the API server would refuse its writes.
func TestRun_OnStaleCacheDoesNothing(t *testing.T) {
	f := newFixture(t)
	stale := f.user().DeepCopy()
	if _, err := f.run(); err != nil {
		t.Fatal(err)
	}
	before := f.user().ResourceVersion
	target := targetNamed("alice")
	target.Object = stale
	f.events.Take()
	if result, err := f.Run(t.Context(), target); err != nil || result.RequeueAfter != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	if f.user().ResourceVersion != before || len(f.events.Take()) != 0 {
		t.Fatal("something was written")
	}
}

func TestRun_RecordsExpectationsUntilObjectIsGone(t *testing.T) {
	f := newFixture(t)
	if _, err := f.run(); err != nil {
		t.Fatal(err)
	}
	user := f.user()
	id := targetNamed("alice").id()
	got := f.expectations.expected[id]
	if got.object != user.ResourceVersion || got.secret == "" || got.uid != user.UID {
		t.Errorf("expects %+v, the object is at %s", got, user.ResourceVersion)
	}
	if err := f.RemoveOrphans(t.Context(), "AdminUser", client.ObjectKeyFromObject(user)); err != nil {
		t.Fatal(err)
	}
	if _, found := f.expectations.expected[id]; found {
		t.Error("an expectation is kept for a deleted object")
	}
}
