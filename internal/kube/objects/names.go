package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"keywright.dev/keywright/internal/auth/username"
)

const (
	// longestSlug leaves room for a suffix or a hash.
	longestSlug = 40
	// namelessKey names APIKeys whose display name has no character that an object name may have.
	namelessKey = "key"
)

// ObjectName returns the name of the AdminUser that the API creates for a username. Equal usernames have the same one,
// so that the API server refuses the second of two concurrent creations.
func ObjectName(name string) string {
	if folded := username.Fold(name); len(validation.IsDNS1123Subdomain(folded)) == 0 {
		return folded
	}
	return hashedName(name)
}

// hashedName returns the name for a username that is not a valid object name, or whose name another username has.
func hashedName(name string) string {
	folded := username.Fold(name)
	sum := sha256.Sum256([]byte(folded))
	hash := hex.EncodeToString(sum[:4])
	if s := slug(folded); s != "" {
		return s + "-" + hash
	}
	return hash
}

// keyPrefix returns the beginning of an APIKey's name. The API server adds the rest.
func keyPrefix(displayName string) string { return SlugOf(displayName) + "-" }

// SlugOf returns a name for the manifest of an APIKey.
func SlugOf(displayName string) string {
	if s := slug(strings.ToLower(displayName)); s != "" {
		return s
	}
	return namelessKey
}

// OnceName returns the name of the APIKey that is created with an idempotency key, from its display name and the digest
// of that key and the caller. Equal ones have the same name, so that the API server refuses the second creation.
func OnceName(displayName string, digest [sha256.Size]byte) string {
	return keyPrefix(displayName) + hex.EncodeToString(digest[:8])
}

// slug returns the letters and digits of a name, with '-' in place of everything between them.
func slug(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteByte(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == longestSlug {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}
