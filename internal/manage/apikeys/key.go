package apikeys

import (
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/manage"
)

// Ref names an object.
type Ref struct {
	Namespace, Name string
}

// String returns <namespace>/<name>.
func (r Ref) String() string { return r.Namespace + "/" + r.Name }

// Source is where an APIKey comes from.
type Source string

// Sources of APIKeys.
const (
	// FromManifest keys are changed where their manifest is kept.
	FromManifest Source = "manifest"
	// FromAPI keys were created through the API.
	FromAPI Source = "api"
)

// Key describes an APIKey. It never holds the plaintext.
type Key struct {
	// ID is the uid of the object. It survives rotation.
	ID     string
	Object Ref
	// Name is spec.displayName, or else the object's name.
	Name, Description, Category string
	// Prefix is the prefix of the current key. It is empty when no key has been issued.
	Prefix string
	// KeyID is the key id of the current key, or empty.
	KeyID   string
	Subject v1alpha1.Subject
	// Scopes and Roles are never nil.
	Scopes, Roles []string
	// Policy may be nil.
	Policy *v1alpha1.Policy
	// Budgets are never nil.
	Budgets          []v1alpha1.Budget
	Enabled, Revoked bool
	// Active reports whether this server accepts the current key now. Reason is why not, or "accepted", in the
	// words of logs and metrics.
	Active bool
	Reason string
	// CreatedAt is the creation of the object. IssuedAt is when the current key was issued, or zero.
	CreatedAt, IssuedAt time.Time
	// ExpiresAt is the end of the key. It is nil for a key without an end. ExpiresFrom is what sets it: spec.expiresAt,
	// spec.ttl, AccessRole/<name>, MAX_TTL or DEFAULT_TTL.
	ExpiresAt   *time.Time
	ExpiresFrom string
	// LastUsedAt is nil when no use is recorded. LastUsedFrom is empty when only the hour of the last use is recorded.
	LastUsedAt   *time.Time
	LastUsedFrom string
	Source       Source
	// Secret is where the operator delivers the key. It is nil for a key that a reply returned.
	Secret *Ref
}

// Issued is a key and its new plaintext.
type Issued struct {
	Key
	// Token is empty when the operator delivers the key in Key.Secret.
	Token manage.Secret
	// PreviousEnds is when the key that a rotation has replaced ends, or has ended. It is zero without such a key, and
	// where the operator rotates later.
	PreviousEnds time.Time
}

func issuedKey(k Key, plaintext string) *Issued {
	return &Issued{Key: k, Token: manage.NewSecret("the key of "+k.Object.String(), plaintext)}
}
