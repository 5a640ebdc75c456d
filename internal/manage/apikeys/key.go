package apikeys

import (
	"fmt"
	"log/slog"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/gate"
)

// By is who asks, and from which address.
type By struct {
	*gate.Caller
	From string
}

// Ref names an object.
type Ref struct {
	Namespace, Name string
}

// String is <namespace>/<name>.
func (r Ref) String() string { return r.Namespace + "/" + r.Name }

// Source is where an APIKey came from.
type Source string

// Sources.
const (
	// FromManifest: somebody applied it, and changes it where that is kept.
	FromManifest Source = "manifest"
	// FromAPI: it was created here.
	FromAPI Source = "api"
)

// Key is what is told of an APIKey. It never holds the key that lets anybody in.
type Key struct {
	// ID is the uid of the object. It survives rotation.
	ID     string
	Object Ref
	// Name is spec.displayName, or the object's name where that is not set.
	Name, Description, Category string
	// Prefix is that of the current key. Empty: none has been issued.
	Prefix  string
	Subject v1alpha1.Subject
	// Scopes and Roles are never nil.
	Scopes, Roles []string
	// Policy is nil where there is none.
	Policy           *v1alpha1.Policy
	Enabled, Revoked bool
	// Active says that the current key is accepted by this server now; Reason is why not, or accepted, in the words of logs
	// and metrics.
	Active bool
	Reason string
	// CreatedAt is of the object. IssuedAt is of the current key, and zero when there is none.
	CreatedAt, IssuedAt time.Time
	// ExpiresAt is the first of all ends that the key has, its roles' among them. Nil: it has none.
	ExpiresAt *time.Time
	// LastUsedAt is nil when no use is known of; LastUsedFrom is empty when only the hour is known.
	LastUsedAt   *time.Time
	LastUsedFrom string
	Source       Source
	// Secret is where the operator delivers the key. Nil: it was told in a reply.
	Secret *Ref
}

// Issued is a key with what was issued for it.
type Issued struct {
	Key
	// Token is the plaintext, which is told once. Empty: it is on its way into Key.Secret, and told nobody here.
	Token string
}

// String leaves the plaintext out.
func (i Issued) String() string { return "the key of " + i.Object.String() }

// GoString leaves the plaintext out.
func (i Issued) GoString() string { return i.String() }

// Format leaves the plaintext out, whatever the verb.
func (i Issued) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(i.String())) }

// LogValue leaves the plaintext out.
func (i Issued) LogValue() slog.Value { return slog.StringValue(i.String()) }
