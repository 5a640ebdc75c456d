package claims

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/auth/verify"
	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/kube/keyholder"
	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/apikeys"
)

// How long a link can be used.
const (
	DefaultLifetime = 24 * time.Hour
	MinLifetime     = 5 * time.Minute
	MaxLifetime     = 7 * 24 * time.Hour
)

// Kind is what a link hands over.
type Kind string

// Kinds of links.
const (
	// KindUser links hand over the key of a new admin.
	KindUser Kind = "user"
	// KindKey links hand over a new API key.
	KindKey Kind = "key"
)

// State is whether a link can be claimed, or why not.
type State string

// States of links. A link that has ended never opens again.
const (
	Open      State = "open"
	Used      State = "used"
	Withdrawn State = "withdrawn"
	Expired   State = "expired"
	// Void links lost their object, or a key of the object was issued in another way.
	Void State = "void"
)

// Wanted is a link to create, and what it hands over: an admin or an API key.
type Wanted struct {
	// Username is of the admin to create. It is empty for an API key.
	Username string
	// Key is the API key to create for Subject. It is nil for an admin.
	Key     *apikeys.Wanted
	Subject v1alpha1.Subject
	// Lifetime is how long the link can be used, in whole seconds. 0: DefaultLifetime.
	Lifetime time.Duration
}

// Link is a claim link without its token.
type Link struct {
	// ID names the link. It is not secret.
	ID   string
	Kind Kind
	// Subject is whom the key speaks as: User/bob.
	Subject string
	// Name is the name of the API key. It is empty for an admin.
	Name string
	// Object is the AdminUser or APIKey that waits for its key, and UID its uid.
	Object apikeys.Ref
	UID    string
	// Creator is the subject that made the link. CreatorKey is the key by which it is judged.
	Creator    string
	CreatorKey pepper.Digest
	// Owner is the id of the user that the API key belongs to, as it was when the link was made. It is empty for an admin,
	// and for a key that belongs to no AdminUser.
	Owner             string
	CreatedAt, EndsAt time.Time
	State             State
	// EndedAt is zero while the link is open.
	EndedAt time.Time
}

// Created is a new link. Its token is known from here on only to those who get the link.
type Created struct {
	Link
	Token manage.Secret
}

// Offer is what anybody with a link may know before the claim.
type Offer struct {
	Kind Kind
	// Subject is whom the key will speak as, and Name the name of the API key, or empty.
	Subject, Name string
	EndsAt        time.Time
}

// Claimed is the result of a claim.
type Claimed struct {
	Offer
	// Key is the new key. This is the only time it is shown.
	Key manage.Secret
	// Prefix is safe to show.
	Prefix string
	// ExpiresAt is the end of the key, or nil.
	ExpiresAt *time.Time
}

// Path returns the path and fragment of the page that claims a link.
func Path(token string) string { return "/claim#" + token }

// Hash is the SHA-256 of a token. Tables have it in place of the token.
type Hash [sha256.Size]byte

// tokenBytes is the number of random bytes of a token.
const tokenBytes = 32

// newToken returns a random token: 43 characters of base64url.
func newToken() string {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // It never fails.
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// hashOf reports false for a text that can't be a token.
func hashOf(token string) (Hash, bool) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(decoded) != tokenBytes {
		return Hash{}, false
	}
	return sha256.Sum256([]byte(token)), true
}

func (l *Link) offer() Offer { return Offer{Kind: l.Kind, Subject: l.Subject, Name: l.Name, EndsAt: l.EndsAt} }

// object names the AdminUser or APIKey of the link.
func (l *Link) object() verify.ID {
	id := verify.ID{Kind: keyholder.AdminUser, Namespace: l.Object.Namespace, Name: l.Object.Name}
	if l.Kind == KindKey {
		id.Kind = keyholder.APIKey
	}
	return id
}

// target names what the link hands over, as audit entries do.
func (l *Link) target() string {
	if l.Kind == KindKey {
		return "APIKey/" + l.Object.String()
	}
	return l.Subject
}
