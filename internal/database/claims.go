package database

import (
	"context"
	"database/sql"
	"encoding/hex"
	"time"

	"keywright.dev/keywright/internal/key/pepper"
	"keywright.dev/keywright/internal/manage/claims/link"
)

// unsettledAtOnce is how many links are settled at once.
const unsettledAtOnce = 200

type claimStore struct{ *DB }

var _ link.Store = claimStore{}

// Claims returns the store of claim links.
func (d *DB) Claims() link.Store { return claimStore{d} }

const claimColumns = "id, kind, subject, name, namespace, object, uid, creator, creator_key, owner," +
	" created_at, ends_at, state, ended_at, succeeds, issued, overlap"

// Add counts and inserts in one statement. Two servers at once may exceed a bound by one link.
func (s claimStore) Add(ctx context.Context, l *link.Link, token link.Hash) (bool, error) {
	return s.change(ctx, "add a claim link",
		"INSERT INTO claims (token_hash, "+claimColumns+") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,"+
			" CAST($12 AS BIGINT), CAST($13 AS BIGINT), $14, CAST($15 AS BIGINT), $16, '', CAST($17 AS BIGINT)"+
			" WHERE (SELECT count(*) FROM claims WHERE state = $14) < $18"+
			" AND (SELECT count(*) FROM claims WHERE state = $14 AND creator = $9) < $19"+
			" ON CONFLICT (id) DO UPDATE SET id = excluded.id",
		hashText(token), l.ID, string(l.Kind), text(l.Subject), text(l.Name), text(l.Namespace),
		text(l.Object), text(l.UID), text(l.Creator), l.CreatorKey.String(), text(l.Owner),
		l.CreatedAt.UnixMicro(), l.EndsAt.UnixMicro(), string(link.Open), 0, text(l.Succeeds),
		secondsOrNull(l.Overlap), link.MaxOpen, link.MaxOpenOfCreator)
}

// secondsOrNull returns NULL for nil.
func secondsOrNull(d *time.Duration) sql.NullInt64 {
	if d == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: int64(*d / time.Second), Valid: true}
}

func hashText(token link.Hash) string { return hex.EncodeToString(token[:]) }

func (s claimStore) ByToken(ctx context.Context, token link.Hash) (*link.Link, error) {
	return s.find(ctx, "token_hash", hashText(token))
}

func (s claimStore) ByID(ctx context.Context, id string) (*link.Link, error) {
	return s.find(ctx, "id", text(id))
}

func (s claimStore) find(ctx context.Context, column, value string) (*link.Link, error) {
	found, err := query(ctx, s.DB, "find a claim link", readClaim,
		"SELECT "+claimColumns+" FROM claims WHERE "+column+" = $1", value)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (s claimStore) List(ctx context.Context) ([]link.Link, error) {
	return query(ctx, s.DB, "list claim links", readClaim,
		"SELECT "+claimColumns+" FROM claims ORDER BY CASE WHEN state = $1 THEN 0 ELSE 1 END, created_at DESC, id LIMIT $2",
		string(link.Open), link.MaxListed)
}

func readClaim(from row) (l link.Link, err error) {
	var kind, creatorKey, state string
	var created, ends, ended int64
	var overlap sql.NullInt64
	if err := from.Scan(&l.ID, &kind, &l.Subject, &l.Name, &l.Namespace, &l.Object, &l.UID, &l.Creator,
		&creatorKey, &l.Owner, &created, &ends, &state, &ended, &l.Succeeds, &l.Issued, &overlap); err != nil {
		return l, err
	}
	l.Kind, l.State = link.Kind(kind), link.State(state)
	l.CreatedAt, l.EndsAt = instant(created), instant(ends)
	if ended > 0 {
		l.EndedAt = instant(ended)
	}
	if overlap.Valid {
		l.Overlap = new(time.Duration(overlap.Int64) * time.Second)
	}
	l.CreatorKey, err = pepper.ParseDigest(creatorKey)
	return l, err
}

func (s claimStore) Reserve(ctx context.Context, id, attempt string, now, until time.Time) (bool, error) {
	return s.change(ctx, "reserve a claim link",
		"UPDATE claims SET attempt = $2, reserved_until = $3 WHERE id = $1 AND state = $5 AND ends_at > $4"+
			" AND (reserved_until <= $4 OR attempt = $2)",
		id, attempt, until.UnixMicro(), now.UnixMicro(), string(link.Open))
}

func (s claimStore) Release(ctx context.Context, id, attempt string) error {
	return s.exec(ctx, "release a claim link",
		"UPDATE claims SET attempt = '', reserved_until = 0 WHERE id = $1 AND attempt = $2", id, attempt)
}

func (s claimStore) Replace(ctx context.Context, id, attempt, succeeds, issued string) (bool, error) {
	return s.change(ctx, "record the key of a claim link",
		"UPDATE claims SET succeeds = $3, issued = $4 WHERE id = $1 AND attempt = $2 AND state = $5",
		id, attempt, text(succeeds), text(issued), string(link.Open))
}

func (s claimStore) Use(ctx context.Context, id, attempt string, now time.Time) (bool, error) {
	return s.change(ctx, "use a claim link",
		"UPDATE claims SET state = $4, ended_at = $3, settled = 1 WHERE id = $1 AND attempt = $2 AND state IN ($4, $5)",
		id, attempt, now.UnixMicro(), string(link.Used), string(link.Open))
}

func (s claimStore) End(
	ctx context.Context, id, attempt string, state link.State, now time.Time,
) (bool, error) {
	return s.change(ctx, "end a claim link",
		"UPDATE claims SET state = $3, ended_at = $4 WHERE id = $1"+
			" AND (state = $5 AND (reserved_until <= $4 OR attempt = $2) OR state = $3 AND ended_at = $4)",
		id, attempt, string(state), now.UnixMicro(), string(link.Open))
}

func (s claimStore) Unsettled(ctx context.Context, now time.Time) ([]link.Link, error) {
	return query(ctx, s.DB, "find claim links to settle", readClaim,
		"SELECT "+claimColumns+" FROM claims WHERE state = $1 AND ends_at <= $2 AND reserved_until <= $2"+
			" OR state <> $1 AND settled = 0 ORDER BY ends_at, id LIMIT $3",
		string(link.Open), now.UnixMicro(), unsettledAtOnce)
}

func (s claimStore) Settle(ctx context.Context, id string) error {
	return s.exec(ctx, "settle a claim link",
		"UPDATE claims SET settled = 1 WHERE id = $1 AND state <> $2", id, string(link.Open))
}

// change runs a statement that changes one row or none, and reports which. Repeated, it reports the same.
func (s claimStore) change(ctx context.Context, what, statement string, parameters ...any) (changed bool, err error) {
	err = s.do(ctx, what, func(ctx context.Context) error {
		result, err := s.pool.ExecContext(ctx, statement, parameters...)
		if err != nil {
			return err
		}
		count, err := result.RowsAffected()
		changed = count > 0
		return err
	})
	return changed && err == nil, err
}

// removeEnded removes links that ended long ago, and the oldest of too many. Open links, and those whose object is not
// settled, stay.
func (s claimStore) removeEnded(ctx context.Context, now time.Time, most int) error {
	_, err := s.remove(ctx, "claims", removedOld, "DELETE FROM claims WHERE settled = 1 AND ended_at < $1",
		now.Add(-link.Retention).UnixMicro())
	if err != nil {
		return err
	}
	_, err = s.remove(ctx, "claims", removedExcess, "DELETE FROM claims WHERE id IN (SELECT id FROM claims"+
		" WHERE settled = 1 ORDER BY ended_at DESC, id LIMIT $1 OFFSET $2)", removeAtOnce, most)
	return err
}
