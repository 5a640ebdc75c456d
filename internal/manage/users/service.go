package users

import (
	"context"
	"log/slog"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/seenusers"
)

// Store reads and writes AdminUsers at the API server. In the server it is an *objects.Store; tests keep them
// in memory.
type Store interface {
	NewKeys
	NewObjects
	Users(ctx context.Context) ([]v1alpha1.AdminUser, error)
	User(ctx context.Context, name string) (*v1alpha1.AdminUser, error)
	Record(ctx context.Context, o objects.Object, k *objects.Key, overlap time.Duration) error
	IssueWaiting(ctx context.Context, o objects.Object, k *objects.Key) error
	DropKeys(ctx context.Context, o objects.Object) error
	Change(ctx context.Context, o objects.Object, change func(objects.Object)) error
	Delete(ctx context.Context, o objects.Object) error
	RequestRotation(ctx context.Context, o objects.Object) error
	Event(o objects.Object, reason, message string)
}

// NewObjects creates objects, and discards those whose creation can't be completed.
type NewObjects interface {
	Create(ctx context.Context, o objects.Object, k *objects.Key) error
	CreateWaiting(ctx context.Context, o objects.Object, until time.Time) error
	Discard(ctx context.Context, o objects.Object)
}

// NewKeys makes keys that are not recorded yet, and reports whether one may be.
type NewKeys interface {
	Generate() (*objects.Key, error)
	Brought(plaintext string) (*objects.Key, error)
	Taken(ctx context.Context, k *objects.Key) (bool, error)
	Revoked(k *objects.Key) bool
}

// Seen reads and deletes seen users. In the server they are in the database, which may be down.
type Seen interface {
	All(ctx context.Context) ([]seenusers.User, error)
	Find(ctx context.Context, name string) (*seenusers.User, error)
	Remove(ctx context.Context, name string) (bool, error)
}

// Sessions ends sessions. They end with their key anyway; ending them by username is faster.
type Sessions interface {
	EndForUser(ctx context.Context, username string) error
}

// Turns runs one operation at a time across all replicas.
type Turns interface {
	Turn(ctx context.Context, name string, do func(ctx context.Context) error) error
}

// Config is what the service works with.
type Config struct {
	Gate     *gate.Gate
	Verifier *verify.Verifier
	Store    Store
	Seen     Seen
	Uses     manage.Uses
	Sessions Sessions
	Trail    manage.Trail
	Entries  manage.Entries
	Turns    Turns
	// Creations are those with an idempotency key. They may be nil in tests without one.
	Creations *idempotency.Creations
	Now       func() time.Time
	Log       *slog.Logger
}

// Service manages users. It is safe for concurrent use.
type Service struct {
	Config
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c} }

// Actions that callers need a right for.
const (
	actionRead  = "users.read"
	actionWrite = "users.write"
)

func (s *Service) allow(caller manage.Caller, action string) error {
	switch {
	case s.Gate.May(caller.Caller, access.Request{Action: action, Resource: access.Any}):
		return nil
	case action == actionRead:
		return errMayNotRead
	}
	return errMayNotWrite
}

// allowAdmin is the rule for making an admin and for issuing an admin's key: both need an admin's own key, its
// session or the bootstrap key, whatever rights an APIKey holds. The key of an admin has no end, so that a key with an
// end, which an overlapping one has, issues none.
func (s *Service) allowAdmin(caller manage.Caller) error {
	if !caller.Admin {
		return errForbidden
	}
	if err := s.allow(caller, actionWrite); err != nil {
		return err
	}
	return manage.CheckIssue(s.Gate, caller, &manage.Issue{})
}
