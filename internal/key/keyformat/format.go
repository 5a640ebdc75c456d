package keyformat

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unsafe"
)

// DefaultPrefix begins every generated key unless the instance says otherwise.
const DefaultPrefix = "ak_"

// Bounds of a key in characters, and of the parts of a generated one.
const (
	MinLength = 16
	MaxLength = 256

	randomLength   = 40
	checksumLength = 6

	shortestPrefix = 2
	longestPrefix  = 8

	shownOfGenerated = 12
	shownOfBrought   = 4
)

// Why a string can't be a key. The texts complete a sentence that begins with what the string was.
var (
	ErrEmpty     = errors.New("is empty")
	ErrTooShort  = fmt.Errorf("must be at least %d characters long", MinLength)
	ErrTooLong   = fmt.Errorf("must be at most %d characters long", MaxLength)
	ErrCharacter = errors.New("must be visible ASCII characters only: no spaces, line ends or letters with accents")
	ErrMistyped  = errors.New("begins like a generated key but is not one: a character is missing or mistyped")
)

// IsPrefix says whether an instance may begin its generated keys with s: 2-8 lower-case letters and digits, a letter
// first and '_' last. None of them begins another, so a key tells which it was generated under.
func IsPrefix(s string) bool {
	if len(s) < shortestPrefix || len(s) > longestPrefix || s[len(s)-1] != '_' {
		return false
	}
	for i, c := range []byte(s[:len(s)-1]) {
		if (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// IsGenerated says whether s is a generated key, whatever prefix its instance had at the time.
func IsGenerated(s string) bool {
	body := len(s) - randomLength - checksumLength
	return body > 0 && IsPrefix(s[:body]) && Format{Prefix: s[:body]}.Check(s) == nil
}

// Format is the form of an instance's generated keys.
type Format struct {
	// Prefix begins every generated key: visible ASCII, at most 16 characters.
	Prefix string
}

// Generate makes a new key from random, which is crypto/rand.Reader outside tests.
func (f Format) Generate(random io.Reader) (string, error) {
	body := len(f.Prefix) + randomLength
	key := make([]byte, body+checksumLength)
	copy(key, f.Prefix)
	err := readBase62(key[len(f.Prefix):body], func(b []byte) error {
		_, err := io.ReadFull(random, b)
		return err
	})
	if err != nil {
		return "", err
	}
	putChecksum(key[body:], crc32.ChecksumIEEE(key[:body]))
	return string(key), nil
}

// Check says why s can't be a key, or nil. It does not allocate.
//
// What begins with the instance's prefix must be a well-formed generated key. Anything else may be a key that
// a person brought, or one generated under another prefix.
func (f Format) Check(s string) error {
	switch {
	case s == "":
		return ErrEmpty
	case len(s) < MinLength:
		return ErrTooShort
	case len(s) > MaxLength:
		return ErrTooLong
	}
	return f.checkCharacters(s)
}

// checkCharacters assumes a length within bounds. It looks at each character once: this is on the path of every
// request.
func (f Format) checkCharacters(s string) error {
	prefixed := f.hasPrefix(s)
	body := s
	if prefixed {
		body = s[len(f.Prefix):]
	}
	switch common := commonClass(body); {
	case common&anyKey == 0:
		return ErrCharacter
	case prefixed && (common&base62Only == 0 || !f.isGenerated(s)):
		return ErrMistyped
	}
	return nil
}

// Shown is the part of a key that may be stored and shown: the first 12 characters of a generated key, be it under
// another prefix, and the first 4 of a brought one, whose author may have put meaning further in.
func (f Format) Shown(s string) string {
	length := shownOfBrought
	if f.hasPrefix(s) && f.Check(s) == nil || IsGenerated(s) {
		length = shownOfGenerated
	}
	return s[:min(length, len(s))]
}

func (f Format) hasPrefix(s string) bool {
	return f.Prefix != "" && strings.HasPrefix(s, f.Prefix)
}

// isGenerated says whether s has the length and the checksum of a generated key.
func (f Format) isGenerated(s string) bool {
	body := len(f.Prefix) + randomLength
	if len(s) != body+checksumLength {
		return false
	}
	var sum [checksumLength]byte
	putChecksum(sum[:], checksum(s[:body]))
	return string(sum[:]) == s[body:]
}

// checksum reads the string's own bytes: a copy of them would be allocated on every verification.
func checksum(s string) uint32 {
	return crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(s), len(s))) //nolint:gosec // read only
}
