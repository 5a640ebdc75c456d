package sessions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"keywright.dev/keywright/internal/auth/username"
	"keywright.dev/keywright/internal/key/pepper"
)

// ErrStore is wrapped by the errors of every method that needs the store while the store is unavailable.
var ErrStore = errors.New("the session store is unavailable")

const (
	// secretLength is in bytes.
	secretLength = 32
	// cookieLength is the length of a secret in base64url, without padding.
	cookieLength = 43
)

// Config has the dependencies of Sessions.
type Config struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
	// Random is the source of secrets; nil means crypto/rand.
	Random io.Reader
}

// Sessions begins, finds and ends sessions. It is safe for concurrent use. Run must run beside it.
type Sessions struct {
	Config
	cache   *cache
	pending *pendingRevocations
	breaker breaker
	// removing is full while a goroutine removes sessions from the store.
	removing chan struct{}
}

// New returns the sessions of a store.
func New(c Config) *Sessions {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &Sessions{
		Config: c, cache: newCache(), pending: newPendingRevocations(), breaker: newBreaker(c.Now, c.Log),
		removing: make(chan struct{}, 1),
	}
}

// Begin begins a session of a user and returns the value of its cookie.
func (s *Sessions) Begin(ctx context.Context, user string, key pepper.Digest) (cookie string, err error) {
	secret := make([]byte, secretLength)
	if _, err := io.ReadFull(s.Random, secret); err != nil {
		return "", fmt.Errorf("the secret of a session: %w", err)
	}
	cookie = base64.RawURLEncoding.EncodeToString(secret)
	id, _ := idOf(cookie)
	now := s.Now().UTC()
	session := &Session{ID: id, Username: username.Fold(user), Key: key, CreatedAt: now, Expires: now.Add(Lifetime)}
	// Earlier revocations that the store has not carried out yet must not end the new session.
	if err := s.remove(ctx, s.pending.covering(session)); err != nil {
		return "", storeError(err)
	}
	if err := s.endOldest(ctx, key); err != nil {
		return "", storeError(err)
	}
	generation := s.cache.currentGeneration()
	if err := s.breaker.do(ctx, func(ctx context.Context) error { return s.Store.Add(ctx, *session) }); err != nil {
		return "", storeError(err)
	}
	s.cache.put(session, now, generation)
	return cookie, nil
}

// endOldest ends the oldest sessions of a key that has reached maxPerKey.
func (s *Sessions) endOldest(ctx context.Context, key pepper.Digest) error {
	var ids []ID
	err := s.breaker.do(ctx, func(ctx context.Context) (err error) {
		ids, err = s.Store.Oldest(ctx, maxPerKey-1, key)
		return err
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	all := make([]revocation, len(ids))
	for i, id := range ids {
		all[i].id = id
	}
	s.revoke(all)
	s.pending.notify()
	return nil
}

func storeError(err error) error { return fmt.Errorf("%w: %w", ErrStore, err) }

// Key returns the digest of the key that the session of a cookie was begun with, or nil if there is no such
// session at the time now. While the store is unavailable, cached sessions stay valid: until they expire if
// other replicas' revocations still arrive, for a minute otherwise.
func (s *Sessions) Key(cookie string, now time.Time) *pepper.Digest {
	session := s.find(context.Background(), cookie, now)
	if session == nil {
		return nil
	}
	return &session.Key
}

// find asks the store unless the cache has a certain answer.
func (s *Sessions) find(ctx context.Context, cookie string, now time.Time) *Session {
	id, ok := idOf(cookie)
	if !ok {
		return nil
	}
	session, isCertain := s.cache.get(id, now)
	if isCertain {
		return session
	}
	return s.findInStore(ctx, id, session, now)
}

// findInStore returns fallback, which may be nil, if the store is unavailable.
func (s *Sessions) findInStore(ctx context.Context, id ID, fallback *Session, now time.Time) *Session {
	generation := s.cache.currentGeneration()
	var found *Session
	err := s.breaker.try(ctx, func(ctx context.Context) (err error) {
		found, err = s.Store.Find(ctx, id)
		return err
	})
	switch {
	case err != nil:
		return fallback
	case found == nil || !now.Before(found.Expires) || s.pending.covers(found):
		s.cache.putNegative(id, now)
		return nil
	}
	return s.cache.put(found, now, generation)
}

// Touch renews a session that is close to its expiry, and reports whether it did. The cookie has to be sent
// again then.
func (s *Sessions) Touch(ctx context.Context, cookie string) (renewed bool) {
	now := s.Now().UTC()
	session := s.find(ctx, cookie, now)
	if session == nil || session.Expires.Sub(now) >= renewBelow {
		return false
	}
	expires := now.Add(Lifetime)
	err := s.breaker.try(ctx, func(ctx context.Context) error { return s.Store.Renew(ctx, session.ID, expires) })
	if err != nil {
		return false
	}
	return s.cache.renew(session, expires)
}

// idOf returns the id of the session that a cookie stands for. ok is false if the value cannot be a secret.
func idOf(cookie string) (id ID, ok bool) {
	if len(cookie) != cookieLength {
		return ID{}, false
	}
	var text [cookieLength]byte
	copy(text[:], cookie)
	return sha256.Sum256(text[:]), true
}
