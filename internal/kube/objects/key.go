package objects

import (
	"context"
	"log/slog"
	"slices"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/pepper"
)

// Key is a key on its way to whom it is for.
type Key struct {
	// Plaintext goes into one reply and nowhere else.
	Plaintext string
	Digest    pepper.Digest
	// Prefix is what may be shown of it.
	Prefix string
}

// String is the key's id, and no more.
func (k Key) String() string { return "key " + k.Digest.KeyID() }

// GoString is String: a key printed by %#v tells no more.
func (k Key) GoString() string { return k.String() }

// LogValue is the key's id.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.Digest.KeyID()) }

// Generate makes a key.
func (s *Store) Generate() (*Key, error) {
	plaintext, err := s.Format().Generate(s.Random)
	if err != nil {
		return nil, err
	}
	return s.keyOf(plaintext), nil
}

// Brought takes a key that a person thought of. The error completes a sentence that begins with what the key was.
func (s *Store) Brought(plaintext string) (*Key, error) {
	if err := s.Format().Check(plaintext); err != nil {
		return nil, err
	}
	return s.keyOf(plaintext), nil
}

func (s *Store) keyOf(plaintext string) *Key {
	return &Key{Plaintext: plaintext, Digest: s.Ring().Digest(plaintext), Prefix: s.Format().Shown(plaintext)}
}

// Taken says that somebody has this key on record already, be it the bootstrap key, or refused. Whatever object this
// server has seen is asked, and the AdminUsers as they are at the API server: who records keys that people bring, one
// after the other, never gives one to two of them.
func (s *Store) Taken(ctx context.Context, k *Key) (bool, error) {
	if s.Verifier.Verify(k.Plaintext, s.Now()).KeyID() != "" {
		return true, nil
	}
	users, err := s.Users(ctx)
	if err != nil {
		return false, err
	}
	forms := s.digests(k)
	return slices.ContainsFunc(users, func(u v1alpha1.AdminUser) bool {
		return slices.ContainsFunc(u.Status.Keys, func(held v1alpha1.KeyStatus) bool { return slices.Contains(forms, held.Digest) })
	}), nil
}

// digests are the forms in which the key may be on record: one for each pepper.
func (s *Store) digests(k *Key) []string {
	ring := s.Ring()
	forms := make([]string, 0, ring.Len())
	for i := range ring.Len() {
		forms = append(forms, pepper.Digest{PepperID: ring.ID(i), Sum: ring.Sum(i, k.Plaintext)}.String())
	}
	return forms
}
