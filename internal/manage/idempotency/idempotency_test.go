package idempotency_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/idempotency"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
	"keywright.dev/keywright/test/fakeobjects"
)

var begin = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

func TestCheckKey_VisibleASCII(t *testing.T) {
	for key, valid := range map[string]bool{
		"": true, "!": true, "~": true, "7f3a": true, strings.Repeat("x", 255): true,
		strings.Repeat("x", 256): false, strings.Repeat("x", 300): false, strings.Repeat("x", 1<<20): false, " ": false,
		"a b": false, "a\tb": false, "a\r\nb": false, "\x00": false, "\x7f": false, "ü": false, "\xfc": false,
	} {
		var fault *manage.Error
		switch err := idempotency.CheckKey(key); {
		case valid && err == nil:
		case !valid && errors.As(err, &fault) && fault.Kind == manage.Invalid &&
			fault.Error() == "Idempotency-Key: must be 1-255 visible ASCII characters":
		default:
			t.Errorf("%.20q: %v", key, err)
		}
	}
}

func TestRead_OneValue(t *testing.T) {
	for _, c := range []struct {
		values []string
		key    string
		valid  bool
	}{
		{nil, "", true}, {[]string{"a"}, "a", true}, {[]string{""}, "", false}, {[]string{"a", "a"}, "", false},
		{[]string{"", "a"}, "", false},
	} {
		key, err := idempotency.Read(c.values)
		if key != c.key || (err == nil) != c.valid || !c.valid && !manage.Is(err, manage.Invalid) {
			t.Errorf("%q: %q %v", c.values, key, err)
		}
	}
}

func TestCreations_WithinTheWindow(t *testing.T) {
	now := begin
	c := &idempotency.Creations{Store: &fakeobjects.Creations{}, Now: func() time.Time { return now }}
	check := func(subject, key, want string) {
		t.Helper()
		var conflict *manage.Error
		switch err := c.Check(t.Context(), subject, key); {
		case want == "" && err == nil:
		case errors.As(err, &conflict) && conflict.Kind == manage.Conflict && conflict.ID == want &&
			strings.HasPrefix(conflict.Error(), "was created already as "+want+"; "):
		default:
			t.Errorf("%s %s at %s: %v, want %q", subject, key, now, err, want)
		}
	}
	check("User/alice", "a", "")
	if err := c.Keep(t.Context(), "User/alice", "a", "uid-1"); err != nil {
		t.Fatal(err)
	}
	check("User/alice", "a", "uid-1")
	check("User/alice", "b", "")
	check("User/bob", "a", "")
	now = begin.Add(24*time.Hour - 1)
	check("User/alice", "a", "uid-1")
	if err := c.Keep(t.Context(), "User/alice", "a", "uid-2"); !manage.Is(err, manage.Conflict) {
		t.Error(err)
	}
	now = begin.Add(24 * time.Hour)
	check("User/alice", "a", "")
	if err := c.Keep(t.Context(), "User/alice", "a", "uid-2"); err != nil {
		t.Error(err)
	}
	check("User/alice", "a", "uid-2")
}

// contexts is a store that keeps the context of a call.
type contexts struct {
	fakeobjects.Creations
	err error
}

func (c *contexts) Keep(ctx context.Context, _ creation.Digest, id string, _, _ time.Time) (string, error) {
	c.err = ctx.Err()
	return id, nil
}

// Otherwise the end of the request would leave open whether the record is there.
func TestKeep_DoesNotEndWithTheRequest(t *testing.T) {
	store := &contexts{}
	c := &idempotency.Creations{Store: store, Now: time.Now}
	ctx, end := context.WithCancel(t.Context())
	end()
	if err := c.Keep(ctx, "User/alice", "a", "uid-1"); err != nil || store.err != nil {
		t.Error(err, store.err)
	}
}

func TestCreations_WithoutTheDatabase(t *testing.T) {
	down := errors.New("down")
	c := &idempotency.Creations{
		Store: &fakeobjects.Creations{Fail: func(string) error { return down }}, Now: time.Now,
	}
	for _, err := range []error{
		c.Check(t.Context(), "User/alice", "a"), c.Keep(t.Context(), "User/alice", "a", "uid-1"),
	} {
		if !manage.Is(err, manage.Unavailable) || !errors.Is(err, down) {
			t.Error(err)
		}
	}
	// A creation without a key needs no store.
	var none *idempotency.Creations
	if err := errors.Join(
		none.Check(t.Context(), "User/alice", ""), none.Keep(t.Context(), "User/alice", "", "uid-1"),
	); err != nil {
		t.Error(err)
	}
}
