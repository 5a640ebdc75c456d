package revokedkeys

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// MaxKeys is how many keys a Store holds. Beyond that it removes those that were revoked first.
const MaxKeys = 100_000

// MaxBatch is the largest number of keys that a Store is given at once.
const MaxBatch = 500

// Row is a revoked key in a Store.
type Row struct {
	// Number grows in the order in which readers see the rows.
	Number int64
	Key    pepper.Digest
}

// Store holds revoked keys.
type Store interface {
	// Starting returns an error until the store has been tried once.
	Starting() error
	// Add stores up to MaxBatch keys. It does nothing for those that it has.
	Add(ctx context.Context, keys []pepper.Digest, at time.Time) error
	// After returns keys with a greater number, the smallest first: some of very many, and none if there are no more.
	After(ctx context.Context, number int64) ([]Row, error)
}
