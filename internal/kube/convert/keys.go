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
	entries, _ := readable(recorded)
	keys := make([]lifecycle.Key, len(entries))
	for i := range entries {
		keys[i] = entries[i].Key
	}
	return keys
}

// entry is a readable entry of status.keys.
type entry struct {
	lifecycle.Key
	digest pepper.Digest
}

// readable returns the readable entries of status.keys, each key once, and the positions of the unreadable ones.
func readable(recorded []v1alpha1.KeyStatus) (entries []entry, unreadable []int) {
	entries = make([]entry, 0, len(recorded))
	for i := range recorded {
		k := &recorded[i]
		digest, err := pepper.ParseDigest(k.Digest)
		if err != nil {
			unreadable = append(unreadable, i)
			continue
		}
		read := entry{digest: digest, Key: lifecycle.Key{
			ID: digest.KeyID(), Prefix: k.Prefix, Digest: k.Digest,
			IssuedAt: k.IssuedAt.Time, ExpiresAt: Instant(k.ExpiresAt), State: lifecycle.State(k.State),
		}}
		at := slices.IndexFunc(entries, func(e entry) bool { return e.ID == read.ID })
		switch {
		case at < 0:
			entries = append(entries, read)
		case compareEntries(&read.Key, &entries[at].Key) < 0:
			entries[at] = read
		}
	}
	return entries, unreadable
}

// compareEntries orders several entries of one key, so that which of them counts does not depend on their positions.
func compareEntries(a, b *lifecycle.Key) int {
	return cmp.Or(
		lifecycle.CurrentFirst(a.State, b.State),
		compareEnds(a.ExpiresAt, b.ExpiresAt),
		strings.Compare(string(a.State), string(b.State)),
		a.IssuedAt.Compare(b.IssuedAt),
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
			IssuedAt:  metav1.NewTime(k.IssuedAt.Truncate(time.Second)),
			ExpiresAt: TimeOf(k.ExpiresAt), State: v1alpha1.KeyState(k.State),
		})
	}
	return recorded
}
