package seenusers

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"keywright.dev/keywright/internal/auth/username"
)

// MaxNames bounds the names in the store, and the names that wait for it.
const MaxNames = 10_000

const (
	maxName    = 100
	maxAddress = 64
)

// User is a seen user.
type User struct {
	ID                  int64
	Username            string
	FirstSeen, LastSeen time.Time
	// From is the address of the last sighting.
	From string
}

// Sighting is one request of a seen user.
type Sighting struct {
	Username, From string
	At             time.Time
}

// Store holds seen users.
type Store interface {
	// Save takes any number of sightings of a name. A sighting that is older than the stored one changes nothing.
	Save(ctx context.Context, sightings []Sighting) error
	// All returns the newest by FirstSeen first.
	All(ctx context.Context) ([]User, error)
	// Find matches the exact name. It returns nil and no error if the name is unknown.
	Find(ctx context.Context, name string) (*User, error)
	// Remove reports whether the name was known.
	Remove(ctx context.Context, name string) (bool, error)
}

// isRecordable reports whether a name may be recorded.
func isRecordable(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !username.Reserved(name) &&
		strings.IndexFunc(name, isUnprintable) < 0
}

// cleanAddress returns "" for text that cannot be an address.
func cleanAddress(from string) string {
	if len(from) > maxAddress || !utf8.ValidString(from) || strings.IndexFunc(from, isUnprintable) >= 0 {
		return ""
	}
	return from
}

func isUnprintable(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) }
