package database

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/manage/lastuse"
)

type useStore struct{ *DB }

var _ lastuse.Store = useStore{}

func (s useStore) SaveUses(ctx context.Context, uses []lastuse.Use) error {
	if err := s.checkRoom("save uses"); err != nil {
		return err
	}
	return s.transact(ctx, "save uses", func(ctx context.Context, transaction *sql.Tx) error {
		return inBatches(latest(uses), func(batch []lastuse.Use) error { return saveUses(ctx, transaction, batch) })
	})
}

func saveUses(ctx context.Context, transaction *sql.Tx, batch []lastuse.Use) error {
	values := parameters(batch, func(u lastuse.Use) []any {
		return []any{text(u.UID), text(u.KeyID), u.At.UnixMicro(), text(u.From)}
	})
	//nolint:gosec // only parameter names are concatenated
	statement := "INSERT INTO last_uses (uid, key_id, used_at, used_from) VALUES " + rows(len(batch), 4) +
		" ON CONFLICT (uid) DO UPDATE" +
		" SET key_id = excluded.key_id, used_at = excluded.used_at, used_from = excluded.used_from" +
		" WHERE excluded.used_at > last_uses.used_at"
	_, err := transaction.ExecContext(ctx, statement, values...)
	return err
}

// latest returns the latest use of each object, because a statement may update a row only once. The uids are
// sorted, so that two servers that save the same objects do not deadlock.
func latest(uses []lastuse.Use) []lastuse.Use {
	byUID := map[string]lastuse.Use{}
	for _, u := range uses {
		if known, ok := byUID[u.UID]; !ok || u.At.After(known.At) {
			byUID[u.UID] = u
		}
	}
	return slices.SortedFunc(maps.Values(byUID), func(a, b lastuse.Use) int { return strings.Compare(a.UID, b.UID) })
}

func (s useStore) LastUses(ctx context.Context, uids []string) (map[string]lastuse.Use, error) {
	found := make(map[string]lastuse.Use, len(uids))
	err := inBatches(uids, func(batch []string) error {
		values := parameters(batch, func(uid string) []any { return []any{text(uid)} })
		uses, err := query(ctx, s.DB, "find last uses", readUse,
			"SELECT uid, key_id, used_at, used_from FROM last_uses WHERE uid IN "+list(len(batch)), values...)
		for _, u := range uses {
			found[u.UID] = u
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func readUse(from row) (u lastuse.Use, err error) {
	var at int64
	err = from.Scan(&u.UID, &u.KeyID, &at, &u.From)
	u.At = instant(at)
	return u, err
}
