package audit

import (
	"context"
	"time"

	"keywright.dev/keywright/internal/auth/username"
)

// Actions. A surface may add its own.
const (
	UserCreate    = "user.create"
	UserDelete    = "user.delete"
	UserForget    = "user.forget"
	UserPromote   = "user.promote"
	UserDemote    = "user.demote"
	UserDisable   = "user.disable"
	UserEnable    = "user.enable"
	UserRotate    = "user.rotate"
	KeyCreate     = "key.create"
	KeyChange     = "key.change"
	KeyRotate     = "key.rotate"
	KeyDelete     = "key.delete"
	KeyRevoke     = "key.revoke"
	ClaimCreate   = "claim.create"
	ClaimWithdraw = "claim.withdraw"
	ClaimUse      = "claim.use"
	ClaimEnd      = "claim.end"
	UsageReprice  = "usage.reprice"
	Login         = "login"
	Logout        = "logout"
)

// Actions lists the actions above, in alphabetical order.
func Actions() []string {
	return []string{
		ClaimCreate, ClaimEnd, ClaimUse, ClaimWithdraw, KeyChange, KeyCreate, KeyDelete, KeyRevoke, KeyRotate, Login, Logout,
		UsageReprice, UserCreate, UserDelete, UserDemote, UserDisable, UserEnable, UserForget, UserPromote, UserRotate,
	}
}

// ActionRead is what callers need a right for to read the audit trail.
const ActionRead = "audit.read"

// Outcomes.
const (
	Done    = "done"
	Refused = "refused"
	Failed  = "failed"
)

// Entry records one operation of management.
type Entry struct {
	// ID is assigned by the store, ascending in the order of writes.
	ID int64
	// At is the time of the operation. An entry that waited for the store has a later ID than its time suggests.
	At time.Time
	// Actor is a subject: User/alice, User/admin for the bootstrap key, empty for an anonymous caller.
	Actor string
	// KeyID is the id of the actor's key, From the address of the client.
	KeyID, From string
	// Target is the object of the action: User/bob, APIKey/<namespace>/<name>.
	Action, Target string
	// Outcome is Done, Refused or Failed. Detail explains it, in names only.
	Outcome, Detail string
	// Reason is why the actor did it, in the actor's own words. It may be empty.
	Reason string
	// Count is how many operations the entry stands for: the other fields are those of the last one. It is at least 1.
	Count int
	// Mark identifies the entry, so that the store has it once. Trail sets it.
	Mark string
}

// Fold returns the form in which a store compares actors and targets: a name counts in any case.
func Fold(subject string) string { return username.Fold(subject) }

// Limits of a list.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Filter selects entries. Empty fields match everything. Actor and Target ignore case; other fields match exactly.
type Filter struct {
	Actor, Target         string
	Action, Outcome, From string
	// Since is inclusive, Until exclusive.
	Since, Until time.Time
	// Before is the ID of the last entry of the previous page.
	Before int64
	// Limit is DefaultLimit if it is 0, and MaxLimit at the most.
	Limit int
}

// Size returns the number of entries on a page.
func (f Filter) Size() int {
	if f.Limit <= 0 {
		return DefaultLimit
	}
	return min(f.Limit, MaxLimit)
}

// Limits bound the stored entries. The oldest are removed first.
type Limits struct {
	// Retention is how long an entry stays. Zero: as long as there are no more than Most.
	Retention time.Duration
	Most      int
}

// Store holds entries.
type Store interface {
	// Append writes all entries or none. It omits entries whose Mark is already stored.
	Append(ctx context.Context, entries []Entry) error
	// List returns the newest entries first, by ID.
	List(ctx context.Context, f Filter) ([]Entry, error)
}
