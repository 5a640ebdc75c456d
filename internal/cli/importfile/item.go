package importfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
)

// User is a user of JJI.
type User struct {
	Name  string
	Admin bool
	// Sum is the HMAC-SHA-256 of an admin's key. Plain users have none.
	Sum pepper.Sum
	// Err is why the user can't be imported, or nil.
	Err error
}

// Key is an entry of a list.
type Key struct {
	Name, Subject, Description, Prefix string
	Scopes, Roles                      []string
	// Sum is the SHA-256 of the key.
	Sum pepper.Sum
	// Expires is zero for a key without an end.
	Expires time.Time
	// Length is the number of characters of the key, or 0 if the list does not say.
	Length int
	// Line is where the entry is: its number from 1, without the header.
	Line int
	// Err is why the key can't be imported, or nil.
	Err error
}

// LeastLength is the length from which on a random key of letters and digits can't be guessed: it has over 128 bits.
const LeastLength = 22

const longestPrefix = 12

// Problems of an item.
var (
	errDigest     = errors.New("the digest is not 64 hexadecimal characters")
	errNoName     = errors.New("the name is empty")
	errTooShort   = errors.New("the key is so short that its digest can be guessed: issue a new one")
	errNoKey      = errors.New("an admin without a key: create it with the API")
	errReserved   = errors.New("the username is reserved")
	errUsername   = errors.New("the username must be 2-50 letters, digits, dots, hyphens and underscores")
	errEncoding   = errors.New("the text is not UTF-8")
	errLongPrefix = errors.New("the prefix has more than 12 characters")
)

// parseSum reads a digest in hexadecimal characters, with or without the prefix sha256:.
func parseSum(text string) (sum pepper.Sum, err error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "sha256:")
	if len(text) != 2*sha256.Size {
		return sum, errDigest
	}
	if _, err := hex.Decode(sum[:], []byte(text)); err != nil {
		return sum, errDigest
	}
	return sum, nil
}

func checkUsername(name string) error {
	switch {
	case username.Reserved(name):
		return errReserved
	case !username.Valid(name):
		return errUsername
	}
	return nil
}
