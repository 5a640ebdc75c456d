package lastuse

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
)

// Use is the last use of an object's keys.
type Use struct {
	// UID is the object's.
	UID string
	// KeyID is the id of the key that was used, as in status.
	KeyID string
	At    time.Time
	// From is the client's address. Empty: it is not known.
	From string
}

// Store keeps the last use of each object.
type Store interface {
	// SaveUses takes up to BatchSize uses, no two of one object. One that is older than what is there changes nothing.
	SaveUses(ctx context.Context, uses []Use) error
	// LastUses returns, by UID, those that are known of the objects asked about.
	LastUses(ctx context.Context, uids []string) (map[string]Use, error)
}

// BatchSize is the most that a Store is given to save at once.
const BatchSize = 500

// Status writes status.lastUsedTime.
type Status interface {
	// SetLastUsed changes nothing where the object is gone, or is another of the same name.
	SetLastUsed(ctx context.Context, id verify.ID, uid string, at time.Time) error
}
