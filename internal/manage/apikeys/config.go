package apikeys

import (
	"context"
	"log/slog"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/access"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/gate"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/objects"
	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/lastuse"
)

// Gate says what callers may.
type Gate interface {
	May(c *gate.Caller, r access.Request) bool
	// MayDelegate says whether a caller may hand out rights to a key that speaks for a user, or for none: "".
	MayDelegate(c *gate.Caller, given *access.Given, to string) bool
}

// Verifier says what this server goes by now.
type Verifier interface {
	VerifyDigest(digest *pepper.Digest, now time.Time) verify.Verdict
	// IsKey says that a text is a key on record, be it accepted or refused.
	IsKey(text string) bool
	UserIsAdmin(name string) bool
	MayOwnKeys(username string) bool
	// UserIsDenied says that a role that lists a user denies them something, whatever others allow.
	UserIsDenied(name string, r access.Request) bool
	MaxTTL(roles []string) time.Duration
}

// Registry reads and writes APIKeys at the API server.
type Registry interface {
	Keys(ctx context.Context, subject v1alpha1.Subject) ([]v1alpha1.APIKey, error)
	Roles(ctx context.Context) ([]v1alpha1.AccessRole, error)
	Generate() (*objects.Key, error)
	Create(ctx context.Context, o objects.Object, k *objects.Key) error
	Record(ctx context.Context, o objects.Object, k *objects.Key, overlap time.Duration) error
	Change(ctx context.Context, o objects.Object, change func(objects.Object)) error
	Delete(ctx context.Context, o objects.Object) error
	AskRotation(ctx context.Context, o objects.Object) error
	Event(o objects.Object, reason, message string)
}

// Uses knows when keys were used last.
type Uses interface {
	LastUses(ctx context.Context, uids []string) (map[string]lastuse.Use, error)
}

// Trail keeps who did what.
type Trail interface {
	Record(ctx context.Context, e audit.Entry)
}

// Config is what the use cases work with.
type Config struct {
	Gate     Gate
	Verifier Verifier
	Registry Registry
	Uses     Uses
	Trail    Trail
	// Account is the name of the instance's own account, Actions are those that ROUTES name, both as configured now.
	Account func() string
	Actions func() []string
	Now     func() time.Time
	Log     *slog.Logger
}
