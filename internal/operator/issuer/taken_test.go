package issuer

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// addTwin puts another user into the API server that has alice's key on record.
func (b *bench) addTwin(name string, created time.Time, digest string, pending bool) {
	b.t.Helper()
	twin := holderNamed(name).Object.(*v1alpha1.AdminUser)
	twin.UID, twin.CreationTimestamp = types.UID(name), metav1.NewTime(created)
	twin.Status.Keys = []v1alpha1.KeyStatus{{Digest: digest, IssuedAt: metav1.NewTime(created), Pending: pending}}
	if err := b.api.Create(b.t.Context(), twin); err != nil {
		b.t.Fatal(err)
	}
	if err := b.api.Status().Update(b.t.Context(), twin); err != nil {
		b.t.Fatal(err)
	}
}

// Of those who have one key it is dead for all but the oldest: so two never stop each other.
func TestAKeyIsTakenByTheOldest(t *testing.T) {
	digest := ringOf(t, "p").Digest("brought").String()
	for name, c := range map[string]struct {
		older, younger bool
		pending        bool
		want           lifecycle.Death
		by             string
	}{
		"nobody else":                 {},
		"one younger":                 {younger: true},
		"one older":                   {older: true, want: lifecycle.Taken, by: "AdminUser ns/elder"},
		"one older, still on its way": {older: true, pending: true, want: lifecycle.Taken, by: "AdminUser ns/elder"},
		"one of each":                 {older: true, younger: true, want: lifecycle.Taken, by: "AdminUser ns/elder"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if c.younger {
				b.addTwin("a-child", noon.Add(time.Hour), digest, c.pending)
				b.addTwin("z-child", noon.Add(time.Hour), digest, c.pending)
			}
			if c.older {
				b.addTwin("elder", noon.Add(-time.Hour), digest, c.pending)
			}
			h := holderNamed("alice")
			h.Object.SetCreationTimestamp(metav1.NewTime(noon))
			h.status().Keys = []v1alpha1.KeyStatus{{Digest: digest}, {Digest: ringOf(t, "p").Digest("own").String()}}
			r := &run{Issuer: b.Issuer, holder: h, ring: ringOf(t, "p")}
			keys, err := r.recordedKeys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if keys[0].Dead != c.want || r.inUse != c.by || keys[1].Dead != "" {
				t.Errorf("dead of %q by %q, the other of %q", keys[0].Dead, r.inUse, keys[1].Dead)
			}
		})
	}
}

// An API server's clock may be ahead.
func TestAKeyIsNotOlderThanItsObject(t *testing.T) {
	for _, created := range []time.Time{noon.Add(-time.Minute), noon, noon.Add(time.Minute)} {
		h := holderNamed("alice")
		h.Object.SetCreationTimestamp(metav1.NewTime(created))
		keys := []lifecycle.Key{{IssuedAt: runOf(h).issueTime()}}
		if h.olderThanItself(keys) || keys[0].IssuedAt.Before(noon) {
			t.Errorf("issued at %v, made at %v", keys[0].IssuedAt, created)
		}
	}
	h := holderNamed("alice")
	h.Object.SetCreationTimestamp(metav1.NewTime(noon))
	if !h.olderThanItself([]lifecycle.Key{{IssuedAt: noon.Add(-time.Second)}}) {
		t.Error("a key from before is not told")
	}
}
