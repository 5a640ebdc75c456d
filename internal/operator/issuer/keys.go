package issuer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// readKeys translates status.keys. It skips an entry whose digest cannot be parsed, which Keywright did not write, and a
// second entry for the same key. The id is always derived from the digest.
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

// writeKeys is the reverse of readKeys. Kubernetes stores whole seconds: an end is rounded up, so that a promised overlap
// is never cut short.
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

// wholeSecond rounds up. The zero time becomes nil.
func wholeSecond(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	rounded := metav1.NewTime(t.Add(time.Second - 1).Truncate(time.Second))
	return &rounded
}

// recordedKeys returns status.keys, with Dead set on those that the server refuses.
func (r *run) recordedKeys(ctx context.Context) ([]lifecycle.Key, error) {
	keys := readKeys(r.target.status().Keys)
	for i := range keys {
		k := &keys[i]
		if !r.hasPepperOf(k) {
			k.Dead = lifecycle.PepperGone
			continue
		}
		other, err := r.otherWithKey(ctx, k.Digest)
		if err != nil {
			return nil, err
		}
		if other != nil && keyholder.Older(other, r.target.Object) {
			k.Dead, r.usedBy = lifecycle.Taken, nameOf(other)
		}
	}
	return keys, nil
}

// hasPepperOf reports whether the keyring has the pepper of the key. Without a keyring it assumes so.
func (r *run) hasPepperOf(k *lifecycle.Key) bool {
	digest, err := pepper.ParseDigest(k.Digest)
	return r.ring == nil || err == nil && r.ring.Has(digest.PepperID)
}

// otherWithKey returns the oldest other object that records this digest, or nil.
func (r *run) otherWithKey(ctx context.Context, digest string) (oldest keyholder.Object, err error) {
	having, err := keyholder.Having(ctx, r.issuer.Client, digest)
	for _, other := range having {
		if other.GetUID() != r.target.Object.GetUID() && (oldest == nil || keyholder.Older(other, oldest)) {
			oldest = other
		}
	}
	return oldest, err
}

// nameOf is how messages name an object.
func nameOf(o keyholder.Object) string {
	return fmt.Sprintf("%s %s/%s", keyholder.KindOf(o), o.GetNamespace(), o.GetName())
}

// restored reports whether the current key was issued before the object was created: both came back from a backup.
func (t *Target) restored(keys []lifecycle.Key) bool {
	current := lifecycle.Current(keys)
	return current != nil && current.IssuedAt.Before(t.Object.GetCreationTimestamp().Time)
}
