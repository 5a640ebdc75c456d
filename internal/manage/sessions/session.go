package sessions

import (
	"context"
	"crypto/sha256"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// Lifetime is how long a session goes on that nobody uses.
const Lifetime = 8 * time.Hour

// renewWithin is how little of it is left when a use begins it anew.
const renewWithin = 4 * time.Hour

// mostOfKey bounds the sessions of one key: whoever logs in without end fills no database.
const mostOfKey = 50

// ID is the SHA-256 of a session's secret. The secret itself is in the cookie and nowhere else.
type ID = [sha256.Size]byte

// Session is somebody's being logged in.
type Session struct {
	ID       ID
	Username string
	// Key is the digest of the key that it was begun with.
	Key       pepper.Digest
	CreatedAt time.Time
	// Expires is the instant from which it is no session any more.
	Expires time.Time
}

// Store keeps sessions. What one call has done, every later one sees, through whichever replica: a session is looked for
// on others as soon as its cookie has been given away.
type Store interface {
	Add(ctx context.Context, s Session) error
	// Find returns nil and no error where there is no such session. An expired one may be found or not.
	Find(ctx context.Context, id ID) (*Session, error)
	// Beyond are the sessions of a key but for the newest so many. Of very many it may leave out some.
	Beyond(ctx context.Context, newest int, key pepper.Digest) ([]ID, error)
	// Keys are those of the sessions that have not expired, each once.
	Keys(ctx context.Context, now time.Time) ([]pepper.Digest, error)
	// Renew moves the end of a session. One that is not there, or not any more, stays away, and that is no error.
	Renew(ctx context.Context, id ID, expires time.Time) error
	// Remove is no error where there is no such session; so are the others.
	Remove(ctx context.Context, id ID) error
	// RemoveOfKeys takes up to BatchOfKeys of them.
	RemoveOfKeys(ctx context.Context, keys []pepper.Digest) error
	// RemoveOfUser goes by the exact name.
	RemoveOfUser(ctx context.Context, username string) error
	RemoveExpired(ctx context.Context, now time.Time) error
	// Watch calls ended for each session that was removed through another replica, in any way but for its having expired.
	// It calls lost(false) when it hears of them from then on, and lost(true) when it may have missed some. It returns when
	// ctx ends, or with an error when it can't go on; then it is called again. Where there is no other replica it calls
	// lost(false) and blocks.
	Watch(ctx context.Context, ended func(id ID), lost func(bool)) error
}

// BatchOfKeys is the most that a Store is given at once.
const BatchOfKeys = 500
