package issuer

import (
	"context"
	"fmt"

	"keywright.dev/keywright/internal/key/lifecycle"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/convert"
	"keywright.dev/keywright/internal/kube/keyholder"
)

// recordedKeys returns status.keys, with Dead set on those that the server refuses.
func (r *run) recordedKeys(ctx context.Context) ([]lifecycle.Key, error) {
	keys := convert.Keys(r.target.status().Keys)
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
