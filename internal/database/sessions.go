package database

import (
	"context"
	"errors"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/sessions"
)

type sessionStore struct{ *DB }

var _ sessions.Store = sessionStore{}

func (s sessionStore) Add(ctx context.Context, one sessions.Session) error {
	return s.exec(ctx, "add a session",
		"INSERT INTO sessions (id, username, key_digest, created_at, expires_at)"+
			" VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
		one.ID[:], text(one.Username), one.Key.String(), one.CreatedAt.UnixMicro(), one.Expires.UnixMicro())
}

func (s sessionStore) Find(ctx context.Context, id sessions.ID) (*sessions.Session, error) {
	found, err := query(ctx, s.DB, "find a session", readSession,
		"SELECT id, username, key_digest, created_at, expires_at FROM sessions WHERE id = $1", id[:])
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (s sessionStore) Oldest(ctx context.Context, keep int, key pepper.Digest) ([]sessions.ID, error) {
	// SQLite requires a LIMIT with an OFFSET.
	return query(ctx, s.DB, "find the oldest sessions of a key", readID,
		"SELECT id FROM sessions WHERE key_digest = $1 ORDER BY created_at DESC, id LIMIT $2 OFFSET $3",
		key.String(), sessions.MaxBatch, keep)
}

func readID(from row) (sessions.ID, error) {
	var id []byte
	if err := from.Scan(&id); err != nil {
		return sessions.ID{}, err
	}
	return idOf(id)
}

func idOf(id []byte) (sessions.ID, error) {
	if len(id) != len(sessions.ID{}) {
		return sessions.ID{}, errors.New("a session id has the wrong length")
	}
	return sessions.ID(id), nil
}

func readSession(from row) (one sessions.Session, err error) {
	var id []byte
	var digest string
	var created, expires int64
	if err := from.Scan(&id, &one.Username, &digest, &created, &expires); err != nil {
		return one, err
	}
	if one.ID, err = idOf(id); err != nil {
		return one, err
	}
	one.CreatedAt, one.Expires = instant(created), instant(expires)
	one.Key, err = pepper.ParseDigest(digest)
	return one, err
}

// Keys omits unreadable digests. Find fails for their sessions as well.
func (s sessionStore) Keys(ctx context.Context, now time.Time) (keys []pepper.Digest, err error) {
	texts, err := query(ctx, s.DB, "list the keys of sessions", readText,
		"SELECT DISTINCT key_digest FROM sessions WHERE expires_at > $1", now.UnixMicro())
	for _, text := range texts {
		if key, err := pepper.ParseDigest(text); err == nil {
			keys = append(keys, key)
		}
	}
	return keys, err
}

func readText(from row) (text string, err error) {
	err = from.Scan(&text)
	return text, err
}

// Renew never shortens a session: if two servers renew at once, the later expiry wins.
func (s sessionStore) Renew(ctx context.Context, id sessions.ID, expires time.Time) error {
	return s.exec(ctx, "renew a session",
		"UPDATE sessions SET expires_at = $2 WHERE id = $1 AND expires_at < $2", id[:], expires.UnixMicro())
}

func (s sessionStore) Remove(ctx context.Context, id sessions.ID) error {
	return s.exec(ctx, "end a session", s.dialect.endSessions("id = $1"), id[:])
}

func (s sessionStore) RemoveForKeys(ctx context.Context, keys []pepper.Digest) error {
	return inBatches(keys, func(batch []pepper.Digest) error {
		digests := parameters(batch, func(d pepper.Digest) []any { return []any{d.String()} })
		statement := s.dialect.endSessions("key_digest IN " + list(len(digests)))
		return s.exec(ctx, "end sessions of keys", statement, digests...)
	})
}

func (s sessionStore) RemoveForUser(ctx context.Context, username string) error {
	return s.exec(ctx, "end sessions of a user", s.dialect.endSessions("username = $1"), text(username))
}

// RemoveExpired notifies no other server: each applies the expiry itself.
func (s sessionStore) RemoveExpired(ctx context.Context, now time.Time) error {
	_, err := s.remove(ctx, "sessions", removedOld, "DELETE FROM sessions WHERE expires_at <= $1", now.UnixMicro())
	return err
}

func (s sessionStore) Watch(ctx context.Context, ended func(sessions.ID), lost func(bool)) error {
	return s.dialect.watch(ctx, ended, lost)
}
