// Package creation is what is stored of creations with an idempotency key.
package creation

import (
	"context"
	"crypto/sha256"
	"time"
)

const (
	// Window is how long an idempotency key of a caller creates nothing more, whatever becomes of the object.
	Window = 24 * time.Hour
	// MaxRecords is how many records a Store holds. Beyond that it removes the oldest.
	MaxRecords = 100_000
)

// Digest identifies an idempotency key of a caller.
type Digest [sha256.Size]byte

// DigestOf returns the Digest of an idempotency key of a subject.
func DigestOf(subject, key string) Digest { return sha256.Sum256([]byte(subject + "\x00" + key)) }

// Store records which creation had an idempotency key. Each method can be repeated.
type Store interface {
	// Made returns the id of what was created with a key after a time, or "".
	Made(ctx context.Context, key Digest, after time.Time) (id string, err error)
	// Keep records at a time what was created with a key, unless something else was recorded after another time. It
	// returns the id that is recorded.
	Keep(ctx context.Context, key Digest, id string, at, after time.Time) (kept string, err error)
}
