package link

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// Kind is what a link hands over.
type Kind string

// Kinds of links.
const (
	// User links hand over the key of a new admin.
	User Kind = "user"
	// Key links hand over a new API key.
	Key Kind = "key"
	// UserRotation links replace the key of an admin that exists.
	UserRotation Kind = "user-rotation"
	// KeyRotation links replace the key of an APIKey that exists.
	KeyRotation Kind = "key-rotation"
)

// IsOfKey reports whether the object of a link is an APIKey, and not an AdminUser.
func (k Kind) IsOfKey() bool { return k == Key || k == KeyRotation }

// Rotates reports whether a link replaces the key of an object that is not the link's own.
func (k Kind) Rotates() bool { return k == UserRotation || k == KeyRotation }

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

// Link is a claim link without its token.
type Link struct {
	// ID names the link. It is not secret.
	ID   string
	Kind Kind
	// Subject is whom the key speaks as: User/bob.
	Subject string
	// Name is the name of the API key. It is empty for an admin.
	Name string
	// Namespace and Object name the AdminUser or APIKey that waits for its key, or is rotated. UID is its uid.
	Namespace, Object, UID string
	// Creator is the subject that made the link. CreatorKey is the key by which it is judged.
	Creator    string
	CreatorKey pepper.Digest
	// Owner is the id of the user that the API key belongs to, as it was when the link was made. It is empty for an admin,
	// and for a key that belongs to no AdminUser.
	Owner string
	// Succeeds is the key id of the key that a rotation replaces, or empty if the object had none. Issued is the key id of
	// a key that a claim has recorded, or was about to, in its place. It was shown only if the link is used.
	Succeeds, Issued string
	// Overlap is how long a rotation leaves the present key accepted. Nil: as the object says.
	Overlap           *time.Duration
	CreatedAt, EndsAt time.Time
	State             State
	// EndedAt is zero while the link is open.
	EndedAt time.Time
}

// MayReplace reports whether a rotation may replace the key with this key id, which is current: the one that was
// current when the link was made, or one that an interrupted claim of the link has recorded. Every other key was issued
// in another way. The key id is empty for an object whose key has ended.
func (l *Link) MayReplace(current string) bool {
	return current == "" || current == l.Succeeds || current == l.Issued
}

// Hash is the SHA-256 of a token. The store has it in place of the token.
type Hash [sha256.Size]byte

// tokenBytes is the number of random bytes of a token.
const tokenBytes = 32

// NewToken returns a random token: 43 characters of base64url.
func NewToken() string {
	var random [tokenBytes]byte
	_, _ = rand.Read(random[:]) // It never fails.
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// HashOf returns the hash of a token. It reports false for a text that can't be a token.
func HashOf(token string) (Hash, bool) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(decoded) != tokenBytes {
		return Hash{}, false
	}
	return sha256.Sum256(decoded), true
}

// Path returns the path and the fragment of the page that claims a link.
func Path(token string) string { return "/claim#" + token }
