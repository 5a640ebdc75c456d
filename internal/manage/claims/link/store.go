package link

import (
	"context"
	"time"
)

// Bounds of the stored links.
const (
	// MaxOpen is how many links may be open, and MaxOpenOfCreator how many of one creator.
	MaxOpen          = 1000
	MaxOpenOfCreator = 100
	// MaxListed bounds a list. All open links fit.
	MaxListed = 2 * MaxOpen
	// Retention is how long a link stays listed after its end, and MaxEnded how many do.
	Retention = 7 * 24 * time.Hour
	MaxEnded  = 10_000
)

// Store keeps links. Each method is one conditional write, or a read, and can be repeated.
type Store interface {
	// Add adds an open link, unless MaxOpen or MaxOpenOfCreator links are open already.
	Add(ctx context.Context, l *Link, token Hash) (added bool, err error)
	// ByToken returns the link of a token, and ByID that of an id, whatever its state, or nil.
	ByToken(ctx context.Context, token Hash) (*Link, error)
	ByID(ctx context.Context, id string) (*Link, error)
	// List returns up to MaxListed links, the open ones first, then the newest.
	List(ctx context.Context) ([]Link, error)
	// Reserve reserves an open link for an attempt to claim it, until a time. It reports false if the link is not open,
	// or is reserved for another attempt.
	Reserve(ctx context.Context, id, attempt string, now, until time.Time) (bool, error)
	// Release makes a link that is reserved for the attempt free again.
	Release(ctx context.Context, id, attempt string) error
	// Replace records which key a claim of a rotation is about to replace, and which key it issues, for a link that is
	// reserved for the attempt. It reports false if the link is not, or not any more.
	Replace(ctx context.Context, id, attempt, succeeds, issued string) (bool, error)
	// Use marks a link that is reserved for the attempt as used. It reports false if it is not, or not any more.
	Use(ctx context.Context, id, attempt string, now time.Time) (bool, error)
	// End ends an open link that is reserved for no other attempt. It reports false if there is no such link. attempt may
	// be empty.
	End(ctx context.Context, id, attempt string, state State, now time.Time) (bool, error)
	// Unsettled returns open links whose time is over, and links that ended unused and whose objects are not settled.
	Unsettled(ctx context.Context, now time.Time) ([]Link, error)
	// Settle records that nothing remains to be done for a link that has ended.
	Settle(ctx context.Context, id string) error
}
