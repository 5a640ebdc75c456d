package username

import (
	"regexp"
	"strings"
	"unicode"
)

// Bootstrap is the username of the bootstrap key. It is reserved in any case.
const Bootstrap = "admin"

// The CRDs have the same patterns, and a test compares them.
var (
	valid        = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,49}$`)
	validSubject = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
)

// Valid reports whether name can be the username of an AdminUser: 2-50 letters, digits, '.', '_', '-', a
// letter or digit first. A valid name may still be reserved.
func Valid(name string) bool { return valid.MatchString(name) }

// ValidSubject reports whether name can be the name of an account or an integration: 1-63 characters, which
// are those of a username.
func ValidSubject(name string) bool { return validSubject.MatchString(name) }

// Reserved reports whether name belongs to the bootstrap key.
func Reserved(name string) bool { return Fold(name) == Bootstrap }

// Equal reports whether two names are the same, ignoring case. Wherever a name grants, denies, disables, lists or owns
// something, Equal compares it, or its Fold is the key of an index. Only login, and paths that change a user, ask for
// the exact spelling.
func Equal(a, b string) bool { return a == b || Fold(a) == Fold(b) }

// Fold returns the lower-case form of a name: equal names have equal forms.
//
// Valid usernames are ASCII, but a proxy may send others, and they must not become equal to a valid one: the
// Kelvin sign in lower case is the letter k.
func Fold(name string) string {
	folded := strings.ToLower(name)
	if isASCII(folded) && !isASCII(name) {
		return name
	}
	return folded
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}
