package fakeobjects

import (
	"context"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/seenusers"
)

// EmptyDatabase is what the use cases of management need of a database: it has nothing and keeps nothing.
type EmptyDatabase struct{}

// Err implements httpapi.Database.
func (EmptyDatabase) Err() error { return nil }

// Touch implements httpapi.SessionRenewer.
func (EmptyDatabase) Touch(context.Context, string) bool { return false }

// All implements users.Seen.
func (EmptyDatabase) All(context.Context) ([]seenusers.User, error) { return nil, nil }

// Find implements users.Seen.
func (EmptyDatabase) Find(context.Context, string) (*seenusers.User, error) { return nil, nil }

// Remove implements users.Seen.
func (EmptyDatabase) Remove(context.Context, string) (bool, error) { return false, nil }

// Begin implements login.Sessions.
func (EmptyDatabase) Begin(context.Context, string, pepper.Digest) (string, error) {
	return "a-cookie", nil
}

// End implements login.Sessions.
func (EmptyDatabase) End(context.Context, string) error { return nil }

// EndForUser implements users.Sessions.
func (EmptyDatabase) EndForUser(context.Context, string) error { return nil }

// Turn implements users.Turns.
func (EmptyDatabase) Turn(ctx context.Context, _ string, do func(context.Context) error) error {
	return do(ctx)
}
