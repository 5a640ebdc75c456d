package convert

import (
	"cmp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
)

// Keys reads status.keys. An entry whose digest can't be read was not written by Keywright and is left out, as is a
// second one of the same key: of several the current one counts, else the one that ends first. The id is always derived
// from the digest.
func Keys(recorded []v1alpha1.KeyStatus) []lifecycle.Key {
	keys, _, _ := readable(recorded)
	return keys
}

// RecordedKeys is Keys for a status, with Refused set on the keys that the server refuses for a reason of its own.
func RecordedKeys(status *v1alpha1.KeyHolderStatus) []lifecycle.Key {
	keys := Keys(status.Keys)
	for i := range keys {
		keys[i].Refused = status.RefusalOf(keys[i].ID) != nil
	}
	return keys
}

// readable returns the readable entries of status.keys, each key once, with their digests, and the positions of the
// unreadable ones.
func readable(recorded []v1alpha1.KeyStatus) (keys []lifecycle.Key, digests []pepper.Digest, unreadable []int) {
	keys, digests = make([]lifecycle.Key, 0, len(recorded)), make([]pepper.Digest, 0, len(recorded))
	for i := range recorded {
		k := &recorded[i]
		digest, err := pepper.ParseDigest(k.Digest)
		if err != nil {
			unreadable = append(unreadable, i)
			continue
		}
		read := lifecycle.Key{
			ID: digest.KeyID(), Prefix: k.Prefix, Digest: k.Digest,
			IssuedAt: k.IssuedAt.Time, FirstIssuedAt: Instant(k.FirstIssuedAt), ExpiresAt: Instant(k.ExpiresAt),
			State: lifecycle.State(k.State),
		}
		at := slices.IndexFunc(keys, func(k lifecycle.Key) bool { return k.ID == read.ID })
		switch {
		case at < 0:
			keys, digests = append(keys, read), append(digests, digest)
		case compareEntries(&read, &keys[at]) < 0:
			keys[at], digests[at] = read, digest
		}
	}
	return keys, digests, unreadable
}

// compareEntries orders several entries of one key, so that which of them counts does not depend on their positions.
func compareEntries(a, b *lifecycle.Key) int {
	return cmp.Or(
		lifecycle.CurrentFirst(a.State, b.State),
		compareEnds(a.ExpiresAt, b.ExpiresAt),
		strings.Compare(string(a.State), string(b.State)),
		a.IssuedAt.Compare(b.IssuedAt),
		a.FirstIssuedAt.Compare(b.FirstIssuedAt),
		strings.Compare(a.Prefix, b.Prefix),
	)
}

// compareEnds orders the ends of keys. No end is the latest.
func compareEnds(a, b time.Time) int {
	switch {
	case a.IsZero() == b.IsZero():
		return a.Compare(b)
	case a.IsZero():
		return 1
	}
	return -1
}

// KeyStatuses is the reverse of Keys. It returns nil for no keys.
func KeyStatuses(keys []lifecycle.Key) []v1alpha1.KeyStatus {
	if len(keys) == 0 {
		return nil
	}
	recorded := make([]v1alpha1.KeyStatus, 0, len(keys))
	for i := range keys {
		k := &keys[i]
		recorded = append(recorded, v1alpha1.KeyStatus{
			ID: k.ID, Prefix: k.Prefix, Digest: k.Digest,
			IssuedAt:      metav1.NewTime(k.IssuedAt.Truncate(time.Second)),
			FirstIssuedAt: TimeOf(k.FirstIssuedAt), ExpiresAt: TimeOf(k.ExpiresAt), State: v1alpha1.KeyState(k.State),
		})
	}
	return recorded
}
