package objects

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"keywright.dev/keywright/internal/auth/username"
)

const (
	// longestSlug leaves room for what the API server, or a hash, adds to it.
	longestSlug = 40
	// namelessKey is what an APIKey is called whose name has nothing that may be in an object's.
	namelessKey = "key"
)

// ObjectName is the name of the AdminUser that the API makes for a username. Usernames that differ by case alone have the
// same, so that of two made at once the API server lets one be.
func ObjectName(name string) string {
	if folded := username.Fold(name); len(validation.IsDNS1123Subdomain(folded)) == 0 {
		return folded
	}
	return hashedName(name)
}

// hashedName is for a username that makes no name of an object, or one that an object of another username has.
func hashedName(name string) string {
	folded := username.Fold(name)
	sum := sha256.Sum256([]byte(folded))
	hash := hex.EncodeToString(sum[:4])
	if s := slug(folded); s != "" {
		return s + "-" + hash
	}
	return hash
}

// keyPrefix begins the name of an APIKey; the API server adds the rest.
func keyPrefix(displayName string) string {
	s := slug(strings.ToLower(displayName))
	if s == "" {
		s = namelessKey
	}
	return s + "-"
}

// slug is what of a name may be in an object's name: letters, digits, and a '-' for what is between them.
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
