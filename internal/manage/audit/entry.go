package audit

import (
	"context"
	"time"
)

// What was done. A surface may add its own.
const (
	UserCreate  = "user.create"
	UserDelete  = "user.delete"
	UserForget  = "user.forget"
	UserPromote = "user.promote"
	UserDemote  = "user.demote"
	UserRotate  = "user.rotate"
	KeyCreate   = "key.create"
	KeyChange   = "key.change"
	KeyRotate   = "key.rotate"
	KeyDelete   = "key.delete"
	KeyRevoke   = "key.revoke"
	Login       = "login"
	Logout      = "logout"
)

// How it ended.
const (
	Done    = "done"
	Refused = "refused"
	Failed  = "failed"
)

// Entry is one thing that somebody did, or tried to do.
type Entry struct {
	// ID is given by the store, ascending in the order in which entries were written.
	ID int64
	// At is when it was done. Entries that had to wait for the store are older than their ID says.
	At time.Time
	// Actor is a subject: User/alice, User/admin for the bootstrap key, and empty for nobody.
	Actor string
	// KeyID is that of the actor's key, From the address they came from.
	KeyID, From string
	// Action is what was done, Target to what: User/bob, APIKey/<namespace>/<name>.
	Action, Target string
	// Outcome is Done, Refused or Failed. Detail says more, in names only.
	Outcome, Detail string
	// Mark tells the entry from all others, so that a store has it once. Trail sets it.
	Mark string
}

// Bounds of a list.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Filter chooses entries. What is empty chooses all; the rest has to be equal.
type Filter struct {
	Actor, Action, Target, Outcome, From string
	// Since is the first moment that counts, Until the first that does not any more.
	Since, Until time.Time
	// Before is the ID of the last entry of the page before this one.
	Before int64
	// Limit is DefaultLimit when it is 0, and never over MaxLimit.
	Limit int
}

// Size is how many entries the filter asks for.
func (f Filter) Size() int {
	if f.Limit <= 0 {
		return DefaultLimit
	}
	return min(f.Limit, MaxLimit)
}

// Store keeps entries.
type Store interface {
	// Append writes all or none. An entry whose Mark is there already is left out.
	Append(ctx context.Context, entries []Entry) error
	// List returns the newest first, by ID.
	List(ctx context.Context, f Filter) ([]Entry, error)
}
