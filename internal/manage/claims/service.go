package claims

import (
	"context"
	"log/slog"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/loginthrottle"
	"keywright.dev/keywright/internal/manage/users"
)

// How long a link can be used.
const (
	DefaultLifetime = 24 * time.Hour
	MinLifetime     = 5 * time.Minute
	MaxLifetime     = 7 * 24 * time.Hour
)

// handOver is a rotation that was judged and not made yet.
type handOver interface {
	// Current returns the key id of the key that the rotation replaces, or "".
	Current() string
	// issue records k in its place. The error wraps objects.ErrSucceeded if another key is current.
	issue(ctx context.Context, k *objects.Key) (*Claimed, error)
}

// Objects are the AdminUsers and APIKeys that wait for their first key. In the server they are an *objects.Store.
type Objects interface {
	// DeleteWaiting deletes an object if it waits for its first key, and returns it. It returns nil if the object is gone
	// or does not wait any more.
	DeleteWaiting(ctx context.Context, id verify.ID, uid string) (objects.Object, error)
	// StopWaiting removes the mark of an object that waits.
	StopWaiting(ctx context.Context, id verify.ID, uid string) error
	Generate() (*objects.Key, error)
	Event(o objects.Object, reason, message string)
}

// Config is what the service works with.
type Config struct {
	Gate     *gate.Gate
	Verifier *verify.Verifier
	Users    *users.Service
	Keys     *apikeys.Service
	Store    link.Store
	Objects  Objects
	// Creations are those with an idempotency key. They may be nil in tests without one.
	Creations *idempotency.Creations
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

// Wanted is a link to create, and what it hands over: an admin or an API key, which the link creates, or another key of
// one that exists.
type Wanted struct {
	// Rotates is true for another key of an admin with Username, or else of the API key with ID.
	Rotates bool
	ID      string
	// Rotation is how to rotate. An admin's spec decides on the overlap.
	Rotation apikeys.Rotation
	// Username is of the admin to create. It is empty for an API key.
	Username string
	// Key is the API key to create for Subject. It is nil for an admin.
	Key     *apikeys.Wanted
	Subject v1alpha1.Subject
	// Once is an idempotency key (package idempotency). It may be empty.
	Once string
	// Lifetime is how long the link can be used, in whole seconds. 0: DefaultLifetime.
	Lifetime time.Duration
}

// Created is a new link. Its token is shown this once: link.Path has the address of the page.
type Created struct {
	link.Link
	Token manage.Secret
}

// Offer is what the holder of a link may know before the claim.
type Offer struct {
	Kind link.Kind
	// Subject is whom the key will speak as, and Name the name of the API key, or empty.
	Subject, Name string
	EndsAt        time.Time
}

func offerOf(l *link.Link) Offer {
	return Offer{Kind: l.Kind, Subject: l.Subject, Name: l.Name, EndsAt: l.EndsAt}
}

// Claimed is the result of a claim.
type Claimed struct {
	Offer
	// Key is the new key, which is shown this once.
	Key manage.Secret
	// ID is the id of the API key. It is empty for an admin.
	ID string
	// ExpiresAt is the end of the key, or nil.
	ExpiresAt *time.Time
	// PreviousEnds is when the API key that a rotation has replaced ends, or has ended. It is zero without such a key.
	PreviousEnds time.Time
}
