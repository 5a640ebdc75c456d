package keyformat

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"unsafe"
)

// DefaultPrefix is the prefix of generated keys unless the configuration sets another.
const DefaultPrefix = "ak_"

// Bounds of a key in characters.
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

// Errors of Check. A text completes a sentence whose subject is the key.
var (
	ErrEmpty     = errors.New("is empty")
	ErrTooShort  = fmt.Errorf("must be at least %d characters long", MinLength)
	ErrTooLong   = fmt.Errorf("must be at most %d characters long", MaxLength)
	ErrCharacter = errors.New("must be visible ASCII characters only: no spaces, line ends or letters with accents")
	ErrMistyped  = errors.New("begins like a generated key but is not one: a character is missing or mistyped")
)

// IsPrefix reports whether s can be the prefix of generated keys: 2-8 lower-case letters and digits, a letter
// first and '_' last. No such prefix begins another, so the prefix of a key is unambiguous.
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

// IsGenerated reports whether s is a generated key of any prefix.
func IsGenerated(s string) bool {
	body := len(s) - randomLength - checksumLength
	return body > 0 && IsPrefix(s[:body]) && Format{Prefix: s[:body]}.Check(s) == nil
}

// IsKey reports whether a text, trimmed, is a generated key or one that onRecord recognizes. A key that a
// person made up has no form of its own.
func IsKey(text string, onRecord func(key string) bool) bool {
	text = strings.TrimSpace(text)
	return IsGenerated(text) || onRecord(text)
}

// Redacted replaces a key in texts that people read.
const Redacted = "(a key)"

// Redact returns Redacted for a key, as IsKey defines it, and any other text unchanged. Names that callers
// send go through it before they are logged or stored: people paste a key where a name belongs.
func Redact(text string, onRecord func(key string) bool) string {
	if IsKey(text, onRecord) {
		return Redacted
	}
	return text
}

// Format is the form of generated keys in one instance.
type Format struct {
	// Prefix is visible ASCII, at most 16 characters.
	Prefix string
}

// Generate returns a new key made of bytes from random, which is crypto/rand.Reader outside tests.
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

// Check returns nil if s can be a key. It does not allocate.
//
// A string with the prefix of the instance must be a well-formed generated key. Any other may be a key that a
// person brought, or one generated under another prefix.
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

// checkCharacters expects a length within bounds. It reads each character once: it runs on every request.
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

// Shown returns the part of a key that may be stored and shown: the first 12 characters of a generated key of
// any prefix, and the first 4 of a brought one, whose later characters may mean something to its author.
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

// isGenerated reports whether s has the length and the checksum of a generated key.
func (f Format) isGenerated(s string) bool {
	body := len(f.Prefix) + randomLength
	if len(s) != body+checksumLength {
		return false
	}
	var sum [checksumLength]byte
	putChecksum(sum[:], checksum(s[:body]))
	return string(sum[:]) == s[body:]
}

// checksum reads the bytes of the string in place: a copy would be allocated on every verification.
func checksum(s string) uint32 {
	return crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(s), len(s))) //nolint:gosec // read only
}
