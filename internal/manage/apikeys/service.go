package apikeys

import (
	"context"
	"log/slog"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/idempotency"
)

// Store reads and writes APIKeys at the API server. In the server it is an *objects.Store; tests keep them in memory.
type Store interface {
	NewObjects
	Keys(ctx context.Context, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error)
	Key(ctx context.Context, id objects.ID) (*v1alpha1.APIKey, error)
	Roles(ctx context.Context) ([]v1alpha1.AccessRole, error)
	Generate() (*objects.Key, error)
	Record(ctx context.Context, o objects.Object, k *objects.Key, overlap time.Duration) error
	IssueWaiting(ctx context.Context, o objects.Object, k *objects.Key) error
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

// Config is what the service works with.
type Config struct {
	Gate     *gate.Gate
	Verifier *verify.Verifier
	Store    Store
	Uses     manage.Uses
	Trail    manage.Trail
	Entries  manage.Entries
	// Creations are those with an idempotency key. They may be nil in tests without one.
	Creations *idempotency.Creations
	// Account returns the name of the instance's own account, and Actions the actions that ROUTES names.
	Account func() string
	Actions func() []string
	Now     func() time.Time
	Log     *slog.Logger
}

// Service manages API keys. It is safe for concurrent use.
type Service struct {
	Config
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c} }

// Account returns the subject of the instance's own keys.
func (s *Service) Account() v1alpha1.Subject {
	return v1alpha1.Subject{Kind: v1alpha1.SubjectAccount, Name: s.Config.Account()}
}

// List lists the keys of a subject. A subject without a name stands for all subjects of its kind, and needs an admin.
func (s *Service) List(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, read manage.Read[*Query],
) (*Page, error) {
	page, err := s.list(ctx, caller, subject, read)
	if err != nil {
		return nil, s.toError(ctx, err)
	}
	return page, nil
}

// Get returns a key of a subject by its id. A subject without a name stands for all subjects of its kind.
func (s *Service) Get(ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string) (*Key, error) {
	if err := s.authorize(caller, subject, ActionRead); err != nil {
		return nil, err
	}
	found, err := s.find(ctx, caller, subject, id)
	if err != nil {
		return nil, s.toError(ctx, err)
	}
	return s.shown(ctx, found)
}

// Create creates a key and returns its plaintext, this once.
func (s *Service) Create(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, read manage.Read[*Wanted],
) (*Issued, error) {
	op := s.begin(caller, audit.KeyCreate, subject, "")
	issued, err := op.create(ctx, read)
	if err := op.end(ctx, err); err != nil {
		return nil, err
	}
	return issued, nil
}

// Change changes a key.
func (s *Service) Change(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string, read manage.Read[*Change],
) (*Key, error) {
	op := s.begin(caller, audit.KeyChange, subject, id)
	changed, err := op.change(ctx, id, read)
	if err := op.end(ctx, err); err != nil {
		return nil, err
	}
	return s.shown(ctx, changed)
}

// Rotate replaces the plaintext of a key. The operator replaces a key that is delivered in a Secret, soon
// after.
func (s *Service) Rotate(
	ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string, read manage.Read[*Rotation],
) (*Issued, error) {
	op := s.begin(caller, audit.KeyRotate, subject, id)
	issued, err := op.rotate(ctx, id, read)
	if err := op.end(ctx, err); err != nil {
		return nil, err
	}
	return issued, nil
}

// Revoke refuses a key for good and keeps its object. Revoking a revoked key changes nothing.
func (s *Service) Revoke(ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string) (*Key, error) {
	op := s.begin(caller, audit.KeyRevoke, subject, id)
	revoked, err := op.revoke(ctx, id)
	if err := op.end(ctx, err); err != nil {
		return nil, err
	}
	return s.shown(ctx, revoked)
}

// Delete deletes the object of a key, and with it the key.
func (s *Service) Delete(ctx context.Context, caller manage.Caller, subject v1alpha1.Subject, id string) error {
	op := s.begin(caller, audit.KeyDelete, subject, id)
	return op.end(ctx, op.remove(ctx, id))
}
