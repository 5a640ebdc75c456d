package issuer

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
)

// readKeys translates status.keys. An entry whose digest can't be read was not written by Keywright and is left
// out, as is a second one for the same key; the id is always taken from the digest.
func readKeys(recorded []v1alpha1.KeyStatus) []lifecycle.Key {
	keys := make([]lifecycle.Key, 0, len(recorded))
	seen := map[string]bool{}
	for _, k := range recorded {
		digest, err := pepper.ParseDigest(k.Digest)
		if err != nil || seen[digest.KeyID()] {
			continue
		}
		seen[digest.KeyID()] = true
		keys = append(keys, lifecycle.Key{
			ID: digest.KeyID(), Prefix: k.Prefix, Digest: k.Digest,
			IssuedAt: k.IssuedAt.Time, NotAfter: convert.Instant(k.NotAfter), Pending: k.Pending,
		})
	}
	return keys
}

// writeKeys is the reverse. Kubernetes keeps whole seconds: an end is rounded up, so that nobody loses part of a
// promised overlap.
func writeKeys(keys []lifecycle.Key) []v1alpha1.KeyStatus {
	if len(keys) == 0 {
		return nil
	}
	recorded := make([]v1alpha1.KeyStatus, 0, len(keys))
	for _, k := range keys {
		recorded = append(recorded, v1alpha1.KeyStatus{
			ID: k.ID, Prefix: k.Prefix, Digest: k.Digest,
			IssuedAt: metav1.NewTime(k.IssuedAt.Truncate(time.Second)),
			NotAfter: wholeSecond(k.NotAfter), Pending: k.Pending,
		})
	}
	return recorded
}

// wholeSecond rounds up. Nil stands for the zero time.
func wholeSecond(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	rounded := metav1.NewTime(t.Add(time.Second - 1).Truncate(time.Second))
	return &rounded
}
