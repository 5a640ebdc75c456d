package issuer

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
)

func ringOf(t *testing.T, letters string) *pepper.Keyring {
	t.Helper()
	entries := map[string][]byte{}
	for i, letter := range letters {
		name := pepper.Active
		if i > 0 {
			name = string(letter)
		}
		entries[name] = []byte(strings.Repeat(string(letter), pepper.MinLength))
	}
	ring, err := pepper.Load(entries)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func keyOf(digest pepper.Digest) lifecycle.Key {
	return lifecycle.Key{
		ID: digest.KeyID(), Prefix: "ak_0", Digest: digest.String(), IssuedAt: noon, State: lifecycle.StateCurrent,
	}
}

func TestRecordedKeys_KeyOfUnknownPepperIsDead(t *testing.T) {
	f, known, lost := newFixture(t), ringOf(t, "p").Digest("a"), ringOf(t, "x").Digest("b")
	h := targetNamed("alice")
	h.status().Keys = convert.KeyStatuses([]lifecycle.Key{keyOf(known), keyOf(lost)})
	for ring, want := range map[*pepper.Keyring]lifecycle.Death{ringOf(t, "p"): lifecycle.PepperGone, nil: ""} {
		r := &run{issuer: f.Issuer, target: h, ring: ring}
		keys, err := r.recordedKeys(t.Context())
		if err != nil || keys[0].Dead != "" || keys[1].Dead != want {
			t.Errorf("got %+v, %v, want the second to be dead: %q", keys, err, want)
		}
	}
}

// addTwin creates another user in the API server that records alice's key.
func (f *fixture) addTwin(name string, created time.Time, digest string, pending bool) {
	f.t.Helper()
	twin := targetNamed(name).Object.(*v1alpha1.AdminUser)
	twin.UID, twin.CreationTimestamp = types.UID(name), metav1.NewTime(created)
	recorded := v1alpha1.KeyStatus{Digest: digest, IssuedAt: metav1.NewTime(created), State: v1alpha1.KeyCurrent}
	if pending {
		recorded.State = v1alpha1.KeyPending
	}
	twin.Status.Keys = []v1alpha1.KeyStatus{recorded}
	if err := f.api.Create(f.t.Context(), twin); err != nil {
		f.t.Fatal(err)
	}
	if err := f.api.Status().Update(f.t.Context(), twin); err != nil {
		f.t.Fatal(err)
	}
}

// The oldest object keeps a key that several record, so that two objects never stall each other.
func TestRecordedKeys_OldestObjectKeepsSharedKey(t *testing.T) {
	digest := ringOf(t, "p").Digest("brought").String()
	for name, c := range map[string]struct {
		older, younger bool
		pending        bool
		want           lifecycle.Death
		by             string
	}{
		"no other object":    {},
		"one younger":        {younger: true},
		"one older":          {older: true, want: lifecycle.Taken, by: "AdminUser ns/elder"},
		"one older, pending": {older: true, pending: true, want: lifecycle.Taken, by: "AdminUser ns/elder"},
		"one of each":        {older: true, younger: true, want: lifecycle.Taken, by: "AdminUser ns/elder"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if c.younger {
				f.addTwin("a-child", noon.Add(time.Hour), digest, c.pending)
				f.addTwin("z-child", noon.Add(time.Hour), digest, c.pending)
			}
			if c.older {
				f.addTwin("elder", noon.Add(-time.Hour), digest, c.pending)
			}
			h := targetNamed("alice")
			h.Object.SetCreationTimestamp(metav1.NewTime(noon))
			h.status().Keys = []v1alpha1.KeyStatus{{Digest: digest}, {Digest: ringOf(t, "p").Digest("own").String()}}
			r := &run{issuer: f.Issuer, target: h, ring: ringOf(t, "p")}
			keys, err := r.recordedKeys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if keys[0].Dead != c.want || r.usedBy != c.by || keys[1].Dead != "" {
				t.Errorf("dead: %q by %q, the other: %q", keys[0].Dead, r.usedBy, keys[1].Dead)
			}
		})
	}
}

// A key that the server refuses for a reason of its own does not overlap with the next.
func TestRecordedKeys_RefusedByServer(t *testing.T) {
	f, h := newFixture(t), targetNamed("alice")
	refused, accepted := ringOf(t, "p").Digest("refused"), ringOf(t, "p").Digest("accepted")
	h.status().Keys = []v1alpha1.KeyStatus{{Digest: refused.String()}, {Digest: accepted.String()}}
	h.status().Usage.Refused = []v1alpha1.RefusedKey{{ID: refused.KeyID(), Reason: v1alpha1.ReasonRevokedKey}}
	r := &run{issuer: f.Issuer, target: h, ring: ringOf(t, "p")}
	keys, err := r.recordedKeys(t.Context())
	if err != nil || !keys[0].Refused || keys[1].Refused {
		t.Errorf("%+v, %v", keys, err)
	}
}

// The API server's clock may be ahead.
func TestIssueTime_IsNotBeforeCreation(t *testing.T) {
	for _, created := range []time.Time{noon.Add(-time.Minute), noon, noon.Add(time.Minute)} {
		h := targetNamed("alice")
		h.Object.SetCreationTimestamp(metav1.NewTime(created))
		keys := []lifecycle.Key{{IssuedAt: lifecycle.IssueTime(noon, created), State: lifecycle.StateCurrent}}
		if h.restored(keys) || keys[0].IssuedAt.Before(noon) {
			t.Errorf("issued at %v, created at %v", keys[0].IssuedAt, created)
		}
	}
	h := targetNamed("alice")
	h.Object.SetCreationTimestamp(metav1.NewTime(noon))
	if !h.restored([]lifecycle.Key{{IssuedAt: noon.Add(-time.Second), State: lifecycle.StateCurrent}}) {
		t.Error("a key from before the object is not restored")
	}
}
