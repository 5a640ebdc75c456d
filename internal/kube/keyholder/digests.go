package keyholder

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// digestIndex finds objects by the buckets of the digests they have on record.
const digestIndex = "keywright.dev/digest"

// Index makes Having possible. To be called once, before the cache starts.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	digests := func(o client.Object) []string {
		var recorded []string
		for _, k := range o.(Object).HolderStatus().Keys {
			recorded = append(recorded, Bucket(k.Digest))
		}
		return recorded
	}
	for _, kind := range []client.Object{&v1alpha1.AdminUser{}, &v1alpha1.APIKey{}} {
		if err := indexer.IndexField(ctx, kind, digestIndex, digests); err != nil {
			return err
		}
	}
	return nil
}

// Having lists every object, of any kind, that has this digest on record. They belong to the cache.
func Having(ctx context.Context, cached client.Reader, digest string) ([]Object, error) {
	var found []Object
	for _, list := range []client.ObjectList{&v1alpha1.AdminUserList{}, &v1alpha1.APIKeyList{}} {
		err := cached.List(ctx, list, client.MatchingFields{digestIndex: Bucket(digest)}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, err
		}
		for _, o := range itemsOf(list) {
			if records(o, digest) {
				found = append(found, o)
			}
		}
	}
	return found, nil
}

func records(o Object, digest string) bool {
	return slices.ContainsFunc(o.HolderStatus().Keys, func(k v1alpha1.KeyStatus) bool { return k.Digest == digest })
}

// Older orders objects that have the same key on record: the older has it, then the one with the smaller uid. The server
// decides likewise.
func Older(a, b client.Object) bool {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if !at.Time.Equal(bt.Time) {
		return at.Time.Before(bt.Time)
	}
	return a.GetUID() < b.GetUID()
}
