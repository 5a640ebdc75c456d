package tokenusage

import (
	"context"
	"slices"
	"sync"
	"time"

	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/usage"
)

// Actions that callers need a right for.
const (
	ActionRead  = "usage.read"
	ActionWrite = "usage.write"
)

// Config is what the service works with.
type Config struct {
	Gate  *gate.Gate
	Store usage.Store
	// Pricer computes the costs that reporters leave out. Nil: they stay unknown.
	Pricer usage.Pricer
	// Trail takes the entries of Reprice.
	Trail manage.Trail
	// Metrics counts what is stored. May be nil.
	Metrics *usage.Metrics
	// Budgets learns of stored records before their reporter gets its answer. May be nil.
	Budgets Budgets
	Now     func() time.Time
}

// Budgets brings the counters of a reporter's budgets into force. In the server it is a *book.Book.
type Budgets interface {
	Recorded(ctx context.Context, reporter *usage.Reporter)
}

// Service records and reports token usage, and computes its costs again. It is safe for concurrent use.
type Service struct {
	Config
	queue *queue
	// repricing is held while a Reprice runs.
	repricing sync.Mutex
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c, queue: newQueue()} }

var (
	errAnonymous  = &manage.Error{Kind: manage.Unauthorized, Text: "Authentication required"}
	errMayNotRead = &manage.Error{Kind: manage.Forbidden, Text: "Admin access required", Right: ActionRead}
	errMayNotAdd  = &manage.Error{Kind: manage.Forbidden, Text: manage.NotPermitted, Right: ActionWrite}
	errRefused    = &manage.Error{Kind: manage.Unauthorized, Text: "The key was refused while the body was on its way"}
)

var errNoJob = &manage.Error{Kind: manage.NotFound, Text: "No token usage records found for this job"}

const cannotNow = "The server can't do this now"

// failed returns an error of the store for the caller. err may be nil.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return &manage.Error{Kind: manage.Unavailable, Text: cannotNow, Cause: err}
}

// may reports whether the identity of the caller is proven, and it may do all actions.
func (s *Service) may(caller manage.Caller, actions ...string) bool {
	return caller.Caller != nil && caller.IsProven() && !slices.ContainsFunc(actions, func(action string) bool {
		return !s.Gate.May(caller.Caller, access.Request{Action: action, Resource: access.Any})
	})
}

// MayRecord returns nil if the caller may report usage. Surfaces ask before they read the body.
func (s *Service) MayRecord(caller manage.Caller) error {
	switch {
	case !s.may(caller):
		return errAnonymous
	case !s.may(caller, ActionWrite):
		return errMayNotAdd
	}
	return nil
}

// Record stores all records or none, as reported by the caller, and returns how many are new. It completes the records:
// the reporter, the time of receipt, what they leave out, and their cost. The index and the field of a wrong record are
// in the error. Once all are valid, they are stored even if ctx ends: the caller may be gone, and its records are not
// lost.
func (s *Service) Record(ctx context.Context, caller manage.Caller, records []usage.Record) (stored int, err error) {
	if err := s.MayRecord(caller); err != nil {
		return 0, err
	}
	if !s.Gate.Accepts(caller.Caller) {
		return 0, errRefused
	}
	if err := s.complete(caller, records); err != nil || len(records) == 0 {
		return 0, err
	}
	leave, err := s.queue.enter(len(records))
	if err != nil {
		return 0, err
	}
	defer leave()
	ctx = context.WithoutCancel(ctx)
	added, err := s.Store.Append(ctx, records)
	if s.Metrics != nil {
		s.Metrics.Observe(added)
	}
	if len(added) > 0 && s.Budgets != nil {
		s.Budgets.Recorded(ctx, &records[0].Reporter)
	}
	return len(added), failed(err)
}
