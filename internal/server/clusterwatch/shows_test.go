package clusterwatch

import (
	"strings"
	"testing"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
)

// An object is shown once the index has it, in this version or a later one, and whatever else has changed.
func TestWatcher_ShowsWhatTheIndexHas(t *testing.T) {
	f := newFixture(t)
	alice := user("alice", alicesKey)
	f.api.put(alice)
	first := alice.DeepCopy()
	if f.watcher.Shows(first) {
		t.Error("shown before anything was listed")
	}
	f.run()
	f.ready()
	if !f.watcher.Shows(first) {
		t.Error("not shown although it was listed")
	}

	later := first.DeepCopy()
	later.ResourceVersion = "1000"
	if f.watcher.Shows(later) {
		t.Error("a version is shown that does not exist yet")
	}
	f.api.put(user("bob", bobsKey))
	f.becomes(bobsKey, verify.Accepted)
	f.api.delete(first)
	f.becomes(alicesKey, verify.Unknown)
	if !f.watcher.Shows(alice) {
		t.Error("a deleted object counts as not shown")
	}
	f.eventually("the deletion is shown", func() bool { return f.watcher.Shows(first) })

	elsewhere := &v1alpha1.APIKey{}
	elsewhere.Namespace, elsewhere.ResourceVersion = "team-a", "1000"
	if f.watcher.Shows(elsewhere) {
		t.Error("a key in a namespace of the scope is shown")
	}
	unwatched := newFixture(t, "team-b")
	if !unwatched.watcher.Shows(elsewhere) {
		t.Error("an object that no watch lists is waited for")
	}
}

// Without a CustomResourceDefinition the API server is there, and the readiness names what is missing.
func TestWatcher_NamesAMissingResource(t *testing.T) {
	f := newFixture(t)
	f.api.missing = "accessrolebindings"
	f.run()
	f.eventually("the other resources are listed", func() bool {
		err := f.watcher.Ready()
		return err != nil && strings.HasPrefix(err.Error(), "accessrolebindings have not been listed yet: "+
			"the API server does not serve accessrolebindings: install the CustomResourceDefinitions of Keywright")
	})
	if lines := f.log.Lines("is unreachable"); len(lines) > 0 {
		t.Errorf("%q", lines)
	}
}
