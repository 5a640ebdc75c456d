package idempotency

import (
	"context"
	"strings"
	"time"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
)

const (
	// Header is the header with the idempotency key. Errors name it.
	Header = "Idempotency-Key"
	// MaxLength bounds an idempotency key, in bytes.
	MaxLength = 255
)

// form is what an idempotency key must be.
const form = "must be 1-255 visible ASCII characters"

// CheckKey refuses an idempotency key that is too long, or has characters that are not visible ASCII.
func CheckKey(key string) error {
	isOdd := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(key) > MaxLength || strings.ContainsFunc(key, isOdd) {
		return manage.InvalidField(Header, form)
	}
	return nil
}

// Read returns the idempotency key of a request from the values of Header, or "" without one. CheckKey checks the rest.
func Read(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || values[0] == "":
		return "", manage.InvalidField(Header, form+", given once")
	}
	return values[0], nil
}

// Creations are the creations with an idempotency key. Its methods do nothing for creations without one. It is safe for
// concurrent use.
type Creations struct {
	Store creation.Store
	Now   func() time.Time
}

// Check refuses a creation by a subject that has created something with this key within creation.Window. Its error is a
// *manage.Error.
func (c *Creations) Check(ctx context.Context, subject, key string) error {
	if key == "" {
		return nil
	}
	id, err := c.Store.Made(ctx, creation.DigestOf(subject, key), c.Now().Add(-creation.Window))
	switch {
	case err != nil:
		return unavailable(err)
	case id != "":
		return Conflict(id)
	}
	return nil
}

// Keep records the id of what a subject has created with a key. After an error, which is a *manage.Error, the caller
// discards what it has created. Keep does not end with the request: whether the record is there would be unknown.
func (c *Creations) Keep(ctx context.Context, subject, key, id string) error {
	if key == "" {
		return nil
	}
	now := c.Now()
	ctx = context.WithoutCancel(ctx)
	kept, err := c.Store.Keep(ctx, creation.DigestOf(subject, key), id, now, now.Add(-creation.Window))
	switch {
	case err != nil:
		return unavailable(err)
	case kept != id:
		return Conflict(kept)
	}
	return nil
}

// Conflict returns the error for a creation whose idempotency key has created something else before.
func Conflict(id string) *manage.Error {
	err := manage.Errorf(manage.Conflict, "was created already as %s; its key or claim link was shown then. "+
		"If that was lost, rotate the key or withdraw the link. Another %s creates another", id, Header)
	err.ID = id
	return err
}

func unavailable(err error) error {
	return &manage.Error{Kind: manage.Unavailable, Text: "The server can't do this now", Cause: err}
}
