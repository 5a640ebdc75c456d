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

// Link is a claim link without its token.
type Link struct {
	// ID names the link. It is not secret.
	ID   string
	Kind Kind
	// Subject is whom the key speaks as: User/bob.
	Subject string
	// Name is the name of the API key. It is empty for an admin.
	Name string
	// Namespace and Object name the AdminUser or APIKey that waits for its key. UID is its uid.
	Namespace, Object, UID string
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
