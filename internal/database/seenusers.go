package database

import (
	"context"
	"maps"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/manage/seenusers"
)

type seenStore struct{ *DB }

var _ seenusers.Store = seenStore{}

// Save also removes users beyond MaxNames, first those that were seen over the shortest time: made-up names
// appear once and so do not displace people who return.
func (s seenStore) Save(ctx context.Context, sightings []seenusers.Sighting) error {
	if len(sightings) == 0 {
		return nil
	}
	if err := s.checkRoom("save seen users"); err != nil {
		return err
	}
	if err := inBatches(merge(sightings), func(batch []seenusers.User) error { return s.insert(ctx, batch) }); err != nil {
		return err
	}
	return s.removeExcess(ctx)
}

// removeExcess works in batches: removing a flood of names may take longer than one operation may.
func (s seenStore) removeExcess(ctx context.Context) error {
	counted, err := query(ctx, s.DB, "count seen users", readInt, "SELECT count(*) FROM seen_users")
	if err != nil {
		return err
	}
	for excess := counted[0] - seenusers.MaxNames; excess > 0; excess -= removeAtOnce {
		_, err := s.remove(ctx, "seen_users", removedExcess, "DELETE FROM seen_users WHERE id IN"+
			" (SELECT id FROM seen_users ORDER BY last_seen - first_seen, last_seen, id LIMIT $1)",
			min(excess, removeAtOnce))
		if err != nil {
			return err
		}
	}
	return nil
}

func (s seenStore) insert(ctx context.Context, batch []seenusers.User) error {
	values := parameters(batch, func(u seenusers.User) []any {
		return []any{u.Username, u.FirstSeen.UnixMicro(), u.LastSeen.UnixMicro(), text(u.From)}
	})
	return s.exec(ctx, "save seen users",
		"INSERT INTO seen_users (username, first_seen, last_seen, seen_from) VALUES "+rows(len(batch), 4)+
			" ON CONFLICT (username) DO UPDATE SET last_seen = excluded.last_seen, seen_from = excluded.seen_from"+
			" WHERE excluded.last_seen > seen_users.last_seen", values...)
}

// merge combines the sightings of each name, and sorts by name.
func merge(sightings []seenusers.Sighting) []seenusers.User {
	byName := map[string]seenusers.User{}
	for _, s := range sightings {
		name := text(s.Username)
		u, known := byName[name]
		if !known {
			u = seenusers.User{Username: name, FirstSeen: s.At, LastSeen: s.At, From: s.From}
		}
		if s.At.Before(u.FirstSeen) {
			u.FirstSeen = s.At
		}
		if s.At.After(u.LastSeen) {
			u.LastSeen, u.From = s.At, s.From
		}
		byName[name] = u
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b seenusers.User) int {
		return strings.Compare(a.Username, b.Username)
	})
}

const selectSeen = "SELECT id, username, first_seen, last_seen, seen_from FROM seen_users "

func (s seenStore) All(ctx context.Context) ([]seenusers.User, error) {
	return query(ctx, s.DB, "list seen users", readSeen, selectSeen+"ORDER BY first_seen DESC, id DESC")
}

func (s seenStore) Find(ctx context.Context, name string) (*seenusers.User, error) {
	found, err := query(ctx, s.DB, "find a seen user", readSeen, selectSeen+"WHERE username = $1", text(name))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func readSeen(from row) (u seenusers.User, err error) {
	var first, last int64
	err = from.Scan(&u.ID, &u.Username, &first, &last, &u.From)
	u.FirstSeen, u.LastSeen = instant(first), instant(last)
	return u, err
}

func (s seenStore) Remove(ctx context.Context, name string) (bool, error) {
	var removed bool
	err := s.do(ctx, "remove a seen user", func(ctx context.Context) error {
		result, err := s.pool.ExecContext(ctx, "DELETE FROM seen_users WHERE username = $1", text(name))
		if err != nil {
			return err
		}
		count, err := result.RowsAffected()
		removed = removed || count > 0
		return err
	})
	return removed, err
}
