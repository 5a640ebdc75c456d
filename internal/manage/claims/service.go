package claims

import (
	"context"
	"log/slog"
	"time"

	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/users"
)

// Config is what the service works with.
type Config struct {
	Gate     *gate.Gate
	Verifier *verify.Verifier
	Users    *users.Service
	Keys     *apikeys.Service
	Store    Store
	Objects  Objects
	// Throttle slows guesses down, as those of keys are.
	Throttle *loginthrottle.Throttle
	Trail    manage.Trail
	Now      func() time.Time
	Log      *slog.Logger
}

// Service manages claim links. It is safe for concurrent use.
type Service struct {
	Config
}

// New returns a Service.
func New(c Config) *Service { return &Service{Config: c} }

// Create creates an AdminUser or an APIKey without a key, and the link that issues the key. The caller needs the rights
// to create the same with a key, and a key or a session of its own: the link is judged by it.
func (s *Service) Create(ctx context.Context, caller manage.Caller, read manage.Read[*Wanted]) (*Created, error) {
	return nil, errNotBuilt
}

// List lists the links whose objects the caller may read: the open ones first, then the newest.
func (s *Service) List(ctx context.Context, caller manage.Caller) ([]Link, error) { return nil, errNotBuilt }

// Withdraw ends an open link and deletes the object that waits for it. The caller needs the rights to create it.
func (s *Service) Withdraw(ctx context.Context, caller manage.Caller, id string) error { return errNotBuilt }

// Look returns what an open link offers. Anybody with the token may look; the caller has only an address.
func (s *Service) Look(ctx context.Context, caller manage.Caller, read manage.Read[string]) (*Offer, error) {
	return nil, errNotBuilt
}

// Claim issues the key of an open link, ends the link, and returns the key, this once. Anybody with the token may; the
// caller has an address, and perhaps a reason.
func (s *Service) Claim(ctx context.Context, caller manage.Caller, read manage.Read[string]) (*Claimed, error) {
	return nil, errNotBuilt
}

var errNotBuilt = manage.Errorf(manage.Unavailable, "Claim links can't be used yet")
