package keyholder

import (
	"context"
	"hash/crc32"
	"slices"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"keywright.dev/keywright/api/v1alpha1"
)

// digestIndex finds objects by the buckets of their recorded digests.
const digestIndex = "keywright.dev/digest"

// Index adds the index that WithDigest needs. Call it once, before the cache starts.
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

// WithDigest lists the objects of any kind that record this digest. They belong to the cache.
func WithDigest(ctx context.Context, cached client.Reader, digest string) ([]Object, error) {
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

// Older orders objects that record the same key, which belongs to the first: the older one, then the one with the
// smaller uid. Package verify has the same order.
func Older(a, b client.Object) bool {
	at, bt := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if !at.Time.Equal(bt.Time) {
		return at.Time.Before(bt.Time)
	}
	return a.GetUID() < b.GetUID()
}

// buckets is the number of different values in an index.
const buckets = 4096

var bucketNames = func() (names [buckets]string) {
	for i := range names {
		names[i] = strconv.FormatInt(int64(i), 36)
	}
	return names
}()

// Bucket returns one of a few thousand values for the value of an index in which hardly any two objects share one. A
// cache has a set of objects for every value of an index, and a set of one takes a quarter of a kilobyte. Buckets save
// that; a caller has to filter the few objects of a bucket.
func Bucket(value string) string {
	return bucketNames[crc32.ChecksumIEEE([]byte(value))%buckets]
}
