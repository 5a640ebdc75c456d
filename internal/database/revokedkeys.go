package database

import (
	"context"
	"database/sql"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/revokedkeys"
)

// revokedPerRead is how many revoked keys are read at once.
const revokedPerRead = 5000

type revokedStore struct{ *DB }

var _ revokedkeys.Store = revokedStore{}

// RevokedKeys returns the store of revoked keys.
func (d *DB) RevokedKeys() revokedkeys.Store { return revokedStore{d} }

// Add takes a turn: numbers are assigned before the commit, and a reader that has seen a number does not look below it
// again.
func (s revokedStore) Add(ctx context.Context, keys []pepper.Digest, at time.Time) error {
	return s.Turn(ctx, "revoked-keys", func(ctx context.Context) error {
		return s.transact(ctx, "save revoked keys", func(ctx context.Context, transaction *sql.Tx) error {
			return inBatches(keys, func(batch []pepper.Digest) error { return addRevoked(ctx, transaction, batch, at) })
		})
	})
}

func addRevoked(ctx context.Context, transaction *sql.Tx, batch []pepper.Digest, at time.Time) error {
	values := parameters(batch, func(d pepper.Digest) []any { return []any{d.String(), at.UnixMicro()} })
	//nolint:gosec // only parameter names are concatenated
	statement := "INSERT INTO revoked_keys (key_digest, revoked_at) VALUES " + rows(len(batch), 2) +
		" ON CONFLICT (key_digest) DO NOTHING"
	_, err := transaction.ExecContext(ctx, statement, values...)
	return err
}

func (s revokedStore) After(ctx context.Context, number int64) ([]revokedkeys.Row, error) {
	return query(ctx, s.DB, "read revoked keys", readRevoked,
		"SELECT number, key_digest FROM revoked_keys WHERE number > $1 ORDER BY number LIMIT $2",
		number, revokedPerRead)
}

func readRevoked(from row) (r revokedkeys.Row, err error) {
	var digest string
	if err := from.Scan(&r.Number, &digest); err != nil {
		return r, err
	}
	r.Key, err = pepper.ParseDigest(digest)
	return r, err
}
