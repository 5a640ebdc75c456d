package users

import (
	"context"
	"log/slog"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/seenusers"
)

// Gate says what callers may.
type Gate interface {
	May(c *gate.Caller, r access.Request) bool
}

// Registry is where AdminUsers are.
type Registry interface {
	Generate() (*objects.Key, error)
	Brought(plaintext string) (*objects.Key, error)
	Taken(ctx context.Context, k *objects.Key) (bool, error)
	Users(ctx context.Context) ([]v1alpha1.AdminUser, error)
	User(ctx context.Context, name string) (*v1alpha1.AdminUser, error)
	Create(ctx context.Context, o objects.Object, k *objects.Key) error
	Record(ctx context.Context, o objects.Object, k *objects.Key, overlap time.Duration) error
	DropKeys(ctx context.Context, o objects.Object) error
	Change(ctx context.Context, o objects.Object, change func(objects.Object)) error
	Delete(ctx context.Context, o objects.Object) error
	AskRotation(ctx context.Context, o objects.Object) error
	Event(o objects.Object, reason, message string)
}

// Names are those that AdminUsers hold, as this server has seen.
type Names interface {
	// IsKey says that a text is no name but a key on record, be it accepted or refused.
	IsKey(text string) bool
	// CanonicalName is how the username is written that is this one, case aside. Empty: there is none.
	CanonicalName(name string) string
}

// Seen is the memory of who came by.
type Seen interface {
	All(ctx context.Context) ([]seenusers.User, error)
	Find(ctx context.Context, name string) (*seenusers.User, error)
	Remove(ctx context.Context, name string) (bool, error)
}

// Uses knows when keys were used last, by the uids of their objects.
type Uses interface {
	LastUses(ctx context.Context, uids []string) (map[string]lastuse.Use, error)
}

// Sessions are ended with the key they were begun with. To end them by name is faster.
type Sessions interface {
	EndForUser(ctx context.Context, username string) error
}

// Trail is where it is written down what was done.
type Trail interface {
	Record(ctx context.Context, e audit.Entry)
}

// Turns are taken across all replicas.
type Turns interface {
	Turn(ctx context.Context, name string, do func(ctx context.Context) error) error
}

// Config is what the use cases work with.
type Config struct {
	Gate     Gate
	Registry Registry
	Names    Names
	Seen     Seen
	Uses     Uses
	Sessions Sessions
	Trail    Trail
	Turns    Turns
	Now      func() time.Time
	Log      *slog.Logger
}

// Service is the use cases. It is safe for concurrent use.
type Service struct {
	Config
}

// New makes the use cases.
func New(c Config) *Service { return &Service{Config: c} }

// By is who asks, and from which address.
type By struct {
	*gate.Caller
	From string
}

// Read reads what is asked for. It is called when it is clear that the caller may ask, so that nobody else learns what is
// wrong with it. Its error is an *Error.
type Read[T any] func() (T, error)

// Actions that take a right.
const (
	actionRead  = "users.read"
	actionWrite = "users.write"
)

func (s *Service) allow(by By, action string) error {
	if !s.Gate.May(by.Caller, access.Request{Action: action, Resource: access.Any}) {
		return errForbidden
	}
	return nil
}

// allowAdmin: to make an admin, or to hand out an admin's key, takes an admin's own key, its session or the bootstrap key,
// whatever an APIKey was given.
func (s *Service) allowAdmin(by By) error {
	if !by.Admin {
		return errForbidden
	}
	return s.allow(by, actionWrite)
}
