package objects

import (
	"context"
	"log/slog"
	"slices"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
)

// Key is a new key.
type Key struct {
	// Plaintext is for one reply only.
	Plaintext string
	Digest    pepper.Digest
	// Prefix is safe to show.
	Prefix string
	// Owner is the id of the user that the key of an APIKey belongs to, as it was when the caller was authorized. It is
	// empty if the subject has no AdminUser.
	Owner string
	// Succeeds is the key id of the only key that it may succeed, or empty.
	Succeeds string
	// First is true if it may succeed no key at all.
	First bool
}

// String returns the key's id.
func (k Key) String() string { return "key " + k.Digest.KeyID() }

// GoString keeps the plaintext out of %#v.
func (k Key) GoString() string { return k.String() }

// LogValue returns the key's id.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.Digest.KeyID()) }

// Generate returns a new random key.
func (s *Store) Generate() (*Key, error) {
	plaintext, err := s.Format().Generate(s.Random)
	if err != nil {
		return nil, err
	}
	return s.keyOf(plaintext), nil
}

// Brought returns a key that a person brought. The error completes a sentence that begins with a noun for the key.
func (s *Store) Brought(plaintext string) (*Key, error) {
	if err := s.Format().Check(plaintext); err != nil {
		return nil, err
	}
	return s.keyOf(plaintext), nil
}

func (s *Store) keyOf(plaintext string) *Key {
	return &Key{Plaintext: plaintext, Digest: s.Ring().Digest(plaintext), Prefix: s.Format().Shown(plaintext)}
}

// Revoked reports whether the key was revoked before, and so is refused for good.
func (s *Store) Revoked(k *Key) bool { return s.Verifier.IsRevoked(k.Plaintext) }

// Taken reports whether an object has this key already, even if it is refused, or it is or was the bootstrap key. It
// checks all objects that this server has seen, and the live AdminUsers: keys that are brought one after the other
// never end up with two users.
func (s *Store) Taken(ctx context.Context, k *Key) (bool, error) {
	if s.Verifier.Verify(k.Plaintext, s.Now()).KeyID() != "" || s.Verifier.WasBootstrap(k.Plaintext) {
		return true, nil
	}
	users, err := s.Users(ctx)
	if err != nil {
		return false, err
	}
	forms := s.digests(k)
	return slices.ContainsFunc(users, func(u v1alpha1.AdminUser) bool {
		return slices.ContainsFunc(u.Status.Keys, func(recorded v1alpha1.KeyStatus) bool {
			return slices.Contains(forms, recorded.Digest)
		})
	}), nil
}

// digests returns the forms in which the key may be recorded.
func (s *Store) digests(k *Key) []string {
	ring := s.Ring()
	forms := make([]string, 0, ring.Forms())
	for i := range ring.Forms() {
		forms = append(forms, ring.Form(i, k.Plaintext).String())
	}
	return forms
}
