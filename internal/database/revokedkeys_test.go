package database_test

import (
	"slices"
	"sync"
	"testing"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/revokedkeys"
)

// revokedAfter reads all revoked keys after a number, and returns the last number.
func revokedAfter(t *testing.T, store revokedkeys.Store, number int64) (keys []pepper.Digest, last int64) {
	t.Helper()
	for {
		rows, err := store.After(t.Context(), number)
		must(t, err)
		if len(rows) == 0 {
			return keys, number
		}
		for _, r := range rows {
			if r.Number <= number {
				t.Errorf("number %d comes after %d", r.Number, number)
			}
			number, keys = r.Number, append(keys, r.Key)
		}
	}
}

func digests(from, to int) (all []pepper.Digest) {
	for i := from; i < to; i++ {
		d := digest(1)
		d.Sum[0], d.Sum[1] = byte(i), byte(i>>8)
		all = append(all, d)
	}
	return all
}

func TestRevokedKeys_AddOnceAndReadInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		store, ctx := d.RevokedKeys(), t.Context()
		must(t, store.Starting())
		if keys, _ := revokedAfter(t, store, 0); len(keys) != 0 {
			t.Error(keys)
		}
		first, second := digests(0, 7), digests(5, 500)
		must(t, store.Add(ctx, nil, noon), store.Add(ctx, first, noon))
		keys, last := revokedAfter(t, store, 0)
		if !slices.Equal(keys, first) {
			t.Errorf("%d keys, want the 7 that were added, in order", len(keys))
		}
		must(t, store.Add(ctx, second, noon), store.Add(ctx, second, noon.AddDate(1, 0, 0)))
		if keys, _ := revokedAfter(t, store, last); !slices.Equal(keys, second[2:]) {
			t.Errorf("%d keys, want those that were not there before", len(keys))
		}
		must(t, d.Purge(ctx, noon.AddDate(100, 0, 0)))
		if keys, _ := revokedAfter(t, store, 0); len(keys) != 500 {
			t.Errorf("%d keys are left after a hundred years", len(keys))
		}
	})
}

// A reader never looks below a number again, so every key has to be visible before a greater one.
func TestRevokedKeys_ReaderMissesNone(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		const writers, each = 4, 25
		store := d.RevokedKeys()
		var writing sync.WaitGroup
		errs := make([]error, writers)
		for w := range writers {
			writing.Go(func() {
				for _, key := range digests(w*each, (w+1)*each) {
					if err := store.Add(t.Context(), []pepper.Digest{key}, noon); err != nil {
						errs[w] = err
					}
				}
			})
		}
		seen := map[pepper.Digest]bool{}
		var last int64
		var keys []pepper.Digest
		eventually(t, "every key is seen", func() bool {
			keys, last = revokedAfter(t, store, last)
			for _, key := range keys {
				seen[key] = true
			}
			return len(seen) == writers*each
		})
		writing.Wait()
		must(t, errs...)
	})
}
