package convert

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// Keys reads status.keys. An entry whose digest can't be read was not written by Keywright and is left out, as is a
// second one of the same key: lifecycle.Current counts by what is left. The id is always taken from the digest.
func Keys(recorded []v1alpha1.KeyStatus) []lifecycle.Key {
	keys, _, _ := keysOf(recorded)
	return keys
}

// keysOf also returns the digests of the keys, and which entries can't be read.
func keysOf(recorded []v1alpha1.KeyStatus) (keys []lifecycle.Key, digests []pepper.Digest, unreadable []int) {
	keys = make([]lifecycle.Key, 0, len(recorded))
	digests = make([]pepper.Digest, 0, len(recorded))
	for i := range recorded {
		k := &recorded[i]
		digest, err := pepper.ParseDigest(k.Digest)
		if err != nil {
			unreadable = append(unreadable, i)
			continue
		}
		id := digest.KeyID()
		if lifecycle.Recorded(keys, id) {
			continue
		}
		digests = append(digests, digest)
		keys = append(keys, lifecycle.Key{
			ID: id, Prefix: k.Prefix, Digest: k.Digest,
			IssuedAt: k.IssuedAt.Time, NotAfter: Instant(k.NotAfter), Pending: k.Pending,
		})
	}
	return keys, digests, unreadable
}

// KeyStatuses is the reverse of Keys. No keys are nil.
func KeyStatuses(keys []lifecycle.Key) []v1alpha1.KeyStatus {
	if len(keys) == 0 {
		return nil
	}
	recorded := make([]v1alpha1.KeyStatus, 0, len(keys))
	for i := range keys {
		k := &keys[i]
		recorded = append(recorded, v1alpha1.KeyStatus{
			ID: k.ID, Prefix: k.Prefix, Digest: k.Digest,
			IssuedAt: metav1.NewTime(k.IssuedAt.Truncate(time.Second)),
			NotAfter: TimeOf(k.NotAfter), Pending: k.Pending,
		})
	}
	return recorded
}
