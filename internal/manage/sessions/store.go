package sessions

import (
	"context"
	"crypto/sha256"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// Lifetime is how long a session lasts without use.
const Lifetime = 8 * time.Hour

// renewBelow is the remaining lifetime below which a use renews a session.
const renewBelow = 4 * time.Hour

// maxPerKey bounds the sessions of one key, so that repeated logins do not fill the database.
const maxPerKey = 50

// MaxBatch is the largest number of keys that a Store is given at once.
const MaxBatch = 500

// ID is the SHA-256 of a session's secret. The secret itself is in the cookie and nowhere else.
type ID = [sha256.Size]byte

// Session is one login of a user.
type Session struct {
	ID ID
	// Username is the folded name of the user.
	Username string
	// Key is the digest of the key that the session was begun with.
	Key       pepper.Digest
	CreatedAt time.Time
	// Expires is the instant from which the session is invalid.
	Expires time.Time
}

// Store holds sessions. Once a call returns, every replica sees its effect: a browser may use its new cookie
// with any of them.
type Store interface {
	Add(ctx context.Context, s Session) error
	// Find returns nil and no error if the session does not exist. It may return an expired session.
	Find(ctx context.Context, id ID) (*Session, error)
	// Oldest returns the sessions of a key beyond the newest keep sessions. It may return only some of very many.
	Oldest(ctx context.Context, keep int, key pepper.Digest) ([]ID, error)
	// Keys returns the keys of all unexpired sessions, each once.
	Keys(ctx context.Context, now time.Time) ([]pepper.Digest, error)
	// Renew sets the expiry of a session. It does nothing if the session does not exist.
	Renew(ctx context.Context, id ID, expires time.Time) error
	// Remove does nothing if the session does not exist.
	Remove(ctx context.Context, id ID) error
	// RemoveForKeys takes up to MaxBatch keys.
	RemoveForKeys(ctx context.Context, keys []pepper.Digest) error
	// RemoveForUser matches the exact name.
	RemoveForUser(ctx context.Context, username string) error
	RemoveExpired(ctx context.Context, now time.Time) error
	// Watch calls ended for each session that another replica removed before it expired. It calls lost(false) when
	// it starts to receive revocation notices and lost(true) when it may have missed some. It blocks until ctx ends, or
	// returns an error, after which the caller calls it again. A store with a single replica calls lost(false) and
	// blocks.
	Watch(ctx context.Context, ended func(id ID), lost func(bool)) error
}
