package sessions

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
)

// ErrStore is wrapped by the errors of Begin and of what ends sessions: the store can't be asked now.
var ErrStore = errors.New("sessions can't be stored now")

// Config is what sessions work with.
type Config struct {
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
	// Random is where secrets come from; nil: crypto/rand.
	Random io.Reader
}

// Sessions begins, knows and ends sessions. It is safe for concurrent use. Run has to run beside it.
type Sessions struct {
	Config
	known   *known
	endings *endings
	link    link
	// removing is full while somebody tells the store what has ended.
	removing chan struct{}
}

// New makes sessions that are in a store.
func New(c Config) *Sessions {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return &Sessions{
		Config: c, known: newKnown(), endings: newEndings(), link: newLink(c.Now, c.Log), removing: make(chan struct{}, 1),
	}
}

// Begin begins a session and returns the value of its cookie.
func (s *Sessions) Begin(ctx context.Context, username string, key pepper.Digest) (cookie string, err error) {
	secret := make([]byte, secretLength)
	if _, err := io.ReadFull(s.Random, secret); err != nil {
		return "", fmt.Errorf("the secret of a session: %w", err)
	}
	cookie = base64.RawURLEncoding.EncodeToString(secret)
	id, _ := idOf(cookie)
	now := s.Now().UTC()
	session := &Session{ID: id, Username: username, Key: key, CreatedAt: now, Expires: now.Add(Lifetime)}
	// What has ended before must not end this one, only because the store has not heard of it yet.
	if err := s.remove(ctx, s.endings.of(session)); err != nil {
		return "", failed(err)
	}
	if err := s.makeRoom(ctx, key); err != nil {
		return "", failed(err)
	}
	changes := s.known.changesNow()
	if err := s.link.use(ctx, func(ctx context.Context) error { return s.Store.Add(ctx, *session) }); err != nil {
		return "", failed(err)
	}
	s.known.put(session, now, changes)
	return cookie, nil
}

// makeRoom ends the oldest sessions of a key when there is no room for one more.
func (s *Sessions) makeRoom(ctx context.Context, key pepper.Digest) error {
	var ids []ID
	err := s.link.use(ctx, func(ctx context.Context) (err error) {
		ids, err = s.Store.Beyond(ctx, mostOfKey-1, key)
		return err
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	all := make([]ending, len(ids))
	for i, id := range ids {
		all[i].id = id
	}
	s.end(all)
	s.endings.tell()
	return nil
}

func failed(err error) error { return fmt.Errorf("%w: %w", ErrStore, err) }

// Key is the digest of the key that the session of a cookie was begun with, and nil when there is no such session at the
// time now. While the store can't be asked, it knows those that it has heard of already: a minute
// longer, where their ends are not heard of either.
func (s *Sessions) Key(cookie string, now time.Time) *pepper.Digest {
	session := s.find(context.Background(), cookie, now)
	if session == nil {
		return nil
	}
	return &session.Key
}

// find looks into the store for what is not known, or not known well enough.
func (s *Sessions) find(ctx context.Context, cookie string, now time.Time) *Session {
	id, ok := idOf(cookie)
	if !ok {
		return nil
	}
	session, isSure := s.known.get(id, now)
	if isSure {
		return session
	}
	return s.ask(ctx, id, session, now)
}

// ask returns held, which may be nil, where the store can't be asked.
func (s *Sessions) ask(ctx context.Context, id ID, held *Session, now time.Time) *Session {
	changes := s.known.changesNow()
	var found *Session
	err := s.link.try(ctx, func(ctx context.Context) (err error) {
		found, err = s.Store.Find(ctx, id)
		return err
	})
	switch {
	case err != nil:
		return held
	case found == nil || !now.Before(found.Expires) || s.endings.cover(found):
		s.known.putNone(id, now)
		return nil
	}
	return s.known.put(found, now, changes)
}

// Touch begins the life of a session anew when little of it is left, and says whether it did: then the cookie is to be
// sent again.
func (s *Sessions) Touch(ctx context.Context, cookie string) (renewed bool) {
	now := s.Now().UTC()
	session := s.find(ctx, cookie, now)
	if session == nil || session.Expires.Sub(now) >= renewWithin {
		return false
	}
	expires := now.Add(Lifetime)
	err := s.link.try(ctx, func(ctx context.Context) error { return s.Store.Renew(ctx, session.ID, expires) })
	if err != nil {
		return false
	}
	return s.known.renew(session, expires)
}
