package seenusers

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/keyformat"
)

// MaxNames is how many names are remembered, be it in the store or on the way there.
const MaxNames = 10_000

const (
	maxName    = 100
	maxAddress = 64
)

// User is somebody who was seen.
type User struct {
	ID                  int64
	Username            string
	FirstSeen, LastSeen time.Time
	// From is the address they last came from.
	From string
}

// Sighting is one time that somebody was seen.
type Sighting struct {
	Username, From string
	At             time.Time
}

// Store keeps users.
type Store interface {
	// Saw takes several sightings of one name as well. What is older than what it has changes nothing.
	Saw(ctx context.Context, sightings []Sighting) error
	// All returns the newest by FirstSeen first.
	All(ctx context.Context) ([]User, error)
	// Find matches exactly; nil, nil: there is none.
	Find(ctx context.Context, name string) (*User, error)
	// Forget says whether there was one.
	Forget(ctx context.Context, name string) (bool, error)
}

// isName says whether a name is worth to be remembered.
func isName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !username.Reserved(name) &&
		strings.IndexFunc(name, isUnprintable) < 0 && !keyformat.IsGenerated(name)
}

// shown leaves out what is no address.
func shown(from string) string {
	if len(from) > maxAddress || !utf8.ValidString(from) || strings.IndexFunc(from, isUnprintable) >= 0 {
		return ""
	}
	return from
}

func isUnprintable(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) }
