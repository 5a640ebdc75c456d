package database

import (
	"context"
	"encoding/hex"
	"time"

	"keywright.dev/keywright/internal/manage/idempotency/creation"
)

type creationStore struct{ *DB }

var _ creation.Store = creationStore{}

// Creations returns the store of creations with an idempotency key.
func (d *DB) Creations() creation.Store { return creationStore{d} }

func (s creationStore) Made(ctx context.Context, key creation.Digest, after time.Time) (string, error) {
	return s.id(ctx, "find a creation", "SELECT id FROM creations WHERE key_digest = $1 AND created_at > $2",
		hex.EncodeToString(key[:]), after.UnixMicro())
}

// Keep is one statement, so that the database decides between two at once.
func (s creationStore) Keep(
	ctx context.Context, key creation.Digest, id string, at, after time.Time,
) (string, error) {
	return s.id(ctx, "record a creation", "INSERT INTO creations (key_digest, id, created_at) VALUES ($1, $2, $3)"+
		" ON CONFLICT (key_digest) DO UPDATE SET"+
		" id = CASE WHEN creations.created_at > $4 THEN creations.id ELSE excluded.id END,"+
		" created_at = CASE WHEN creations.created_at > $4 THEN creations.created_at ELSE excluded.created_at END"+
		" RETURNING id",
		hex.EncodeToString(key[:]), text(id), at.UnixMicro(), after.UnixMicro())
}

// id runs a statement that returns one id or none.
func (s creationStore) id(ctx context.Context, what, statement string, parameters ...any) (string, error) {
	found, err := query(ctx, s.DB, what, readText, statement, parameters...)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}
