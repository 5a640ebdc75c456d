package database

import (
	"context"
	"errors"
	"fmt"
	"time"

	"keywright.dev/keywright/internal/manage/audit"
	"keywright.dev/keywright/internal/manage/claims/link"
	"keywright.dev/keywright/internal/manage/idempotency/creation"
	"keywright.dev/keywright/internal/manage/lastuse"
	"keywright.dev/keywright/internal/manage/revokedkeys"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/program"
)

const (
	// purgeEvery is how often rows beyond the bounds of their table are removed, and retryPurge the delay after a failure.
	purgeEvery, retryPurge = time.Minute, 5 * time.Second
	// sizesEvery is how often the sizes of the tables are measured, and token usage beyond its bounds is removed, which
	// takes a while to count.
	sizesEvery = 10 * time.Minute
	// removeAtOnce bounds the rows that one statement removes: requests have to wait for it.
	removeAtOnce = 500
)

// retention is how long a row stays that is not used again. The audit trail has settings.
const retention = 400 * 24 * time.Hour

// bounds are the largest numbers of rows. The audit trail has settings, and package seenusers bounds its table.
type bounds struct {
	// sessions are those of all users together. Package sessions bounds those of one key.
	sessions int
	// uses are the objects whose exact last use is stored, and addressUses the uses by address and day.
	uses, addressUses int
	// revoked are the revoked keys, which no age removes.
	revoked int
	// rollups are the rows of each table with roll-ups of token usage, and counters those of budgets.
	rollups, counters int
	// claims are the claim links that have ended. Package link bounds those that are open.
	claims int
	// creations are those with an idempotency key.
	creations int
}

var defaultBounds = bounds{
	sessions: 100_000, uses: 500_000, addressUses: 500_000, revoked: revokedkeys.MaxKeys, rollups: 20_000_000,
	counters: 5_000_000, claims: link.MaxEnded, creations: creation.MaxRecords,
}

// Why rows were removed.
const (
	removedOld    = "old"
	removedExcess = "excess"
)

// table has the bounds of a table whose oldest rows are removed first.
type table struct {
	// key are the columns of the primary key, order the column that is smallest in the oldest rows, and age the one that
	// retention counts from.
	name, key, order, age string
	// tie orders the rows that are equal in order. Without it, excess rows are removed with all that are equal to them.
	tie string
	// wholeDays is true if age removes whole days in UTC only: then sums of days and of their parts end together.
	wholeDays bool
	// retention is zero if age alone removes no row, and most is zero if another rule bounds the table.
	retention time.Duration
	most      int
}

// LimitAudit sets the bounds of the audit trail, before Run. While limits returns false they are unknown, and no entry
// is removed.
func (d *DB) LimitAudit(limits func() (audit.Limits, bool)) { d.auditLimits = limits }

// oldestFirst are the tables whose oldest rows are removed first.
func (d *DB) oldestFirst() []table {
	all := []table{
		{name: "last_uses", key: "uid", order: "used_at", age: "used_at", retention: retention, most: d.bounds.uses},
		{
			name: "key_uses", key: "uid, day, address", order: "last_at", age: "last_at",
			retention: lastuse.Days * 24 * time.Hour, most: d.bounds.addressUses,
		},
		{
			name: "creations", key: "key_digest", order: "created_at", age: "created_at", retention: creation.Window,
			most: d.bounds.creations,
		},
		{name: "revoked_keys", key: "number", order: "number", age: "revoked_at", most: d.bounds.revoked},
		// Save bounds the seen users by a rule of its own.
		{name: "seen_users", key: "id", order: "id", age: "last_seen", retention: retention},
	}
	if d.auditLimits == nil {
		return all
	}
	limits, known := d.auditLimits()
	if !known {
		return all
	}
	return append(all, table{
		name: "audit", key: "id", order: "id", age: "at", retention: limits.Retention, most: limits.Most,
	})
}

func (d *DB) purgeRegularly(ctx context.Context) {
	var measuredAt time.Time
	for {
		err := d.purge(ctx, d.now())
		if err == nil && d.now().Sub(measuredAt) >= sizesEvery {
			if err = errors.Join(d.purgeUsage(ctx, d.now()), d.measureTables(ctx)); err == nil {
				measuredAt = d.now()
			}
		}
		pause := purgeEvery
		if err != nil {
			pause = retryPurge
		}
		if err != nil && ctx.Err() == nil {
			d.log.Debug("Rows beyond the bounds of their table could not be removed from the database", "error", err)
		}
		if !program.Pause(ctx, pause) {
			return
		}
	}
}

// purge removes the rows beyond the bounds of every table, and counts the others.
func (d *DB) purge(ctx context.Context, now time.Time) error {
	errs := []error{
		sessionStore{d}.RemoveExpired(ctx, now), sessionStore{d}.removeExcess(ctx, d.bounds.sessions),
		claimStore{d}.removeEnded(ctx, now, d.bounds.claims),
	}
	for _, t := range d.oldestFirst() {
		errs = append(errs, d.removeOld(ctx, &t, now), d.removeExcess(ctx, &t))
	}
	return errors.Join(append(errs, d.countRows(ctx))...)
}

func (d *DB) removeOld(ctx context.Context, t *table, now time.Time) error {
	if t.retention <= 0 {
		return nil
	}
	oldest := now.Add(-t.retention)
	if t.wholeDays {
		oldest = usage.Day.StartOf(oldest)
	}
	return d.removeInBatches(ctx, t, removedOld, t.age+" < $1", oldest.UnixMicro())
}

// removeExcess finds the newest of the rows beyond the bound first, so that replicas that do the same at once do not
// remove more.
func (d *DB) removeExcess(ctx context.Context, t *table) error {
	if t.most <= 0 {
		return nil
	}
	newest, err := query(ctx, d, "find the excess rows of "+t.name, readInt,
		"SELECT "+t.order+" FROM "+t.name+" WHERE (SELECT count(*) FROM "+t.name+") > $1 ORDER BY "+t.order+
			" LIMIT 1 OFFSET (SELECT abs(count(*) - $1 - 1) FROM "+t.name+")", t.most)
	if err != nil || len(newest) == 0 {
		return err
	}
	return d.removeInBatches(ctx, t, removedExcess, t.order+" <= $1", newest[0])
}

func readInt(from row) (n int64, err error) {
	err = from.Scan(&n)
	return n, err
}

func (d *DB) removeInBatches(ctx context.Context, t *table, why, comparison string, values ...any) error {
	statement := "DELETE FROM " + t.name + " WHERE (" + t.key + ") IN (SELECT " + t.key + " FROM " + t.name +
		" WHERE " + comparison + fmt.Sprintf(" LIMIT $%d)", len(values)+1)
	values = append(values, removeAtOnce)
	for {
		removed, err := d.remove(ctx, t.name, why, statement, values...)
		if err != nil || removed < removeAtOnce {
			return err
		}
	}
}

// remove removes rows and counts them.
func (d *DB) remove(ctx context.Context, table, why, statement string, parameters ...any) (removed int64, err error) {
	err = d.do(ctx, "remove rows of "+table, func(ctx context.Context) error {
		result, err := d.pool.ExecContext(ctx, statement, parameters...)
		if err != nil {
			return err
		}
		removed, err = result.RowsAffected()
		return err
	})
	d.tables.removed(table, why, removed)
	return removed, err
}

// removeExcess removes sessions beyond the bound, first those of the users who have the most: logging in again and
// again ends no session of another user.
func (s sessionStore) removeExcess(ctx context.Context, most int) error {
	counted, err := query(ctx, s.DB, "count sessions", readInt, "SELECT count(*) FROM sessions")
	if err != nil {
		return err
	}
	statement := s.dialect.endSessions("id IN (SELECT id FROM (SELECT id, row_number() OVER" +
		" (PARTITION BY username ORDER BY expires_at DESC, id) AS place FROM sessions) AS placed" +
		" ORDER BY place DESC, id LIMIT $1)")
	for excess := counted[0] - int64(most); excess > 0; excess -= removeAtOnce {
		if _, err := s.remove(ctx, "sessions", removedExcess, statement, min(excess, removeAtOnce)); err != nil {
			return err
		}
	}
	return nil
}
