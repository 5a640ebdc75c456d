package database

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"keywright.dev/keywright/internal/manage/usage"
)

const (
	// counterRetention keeps the counters of the previous month.
	counterRetention = 62 * 24 * time.Hour
	// countedAtOnce bounds the time whose rows one operation counts, and recordsCounted the records.
	countedAtOnce, recordsCounted = 24 * time.Hour, 100_000
)

// LimitUsage sets the bounds of token usage, before Run. While limits returns false they are unknown, and no record and
// no roll-up is removed.
func (d *DB) LimitUsage(limits func() (usage.Limits, bool)) { d.usageLimits = limits }

// usageTables are the tables of token usage whose oldest rows are removed first.
func (d *DB) usageTables() []table {
	all := []table{{
		name: "usage_counters", key: "key_uid, role, period, start", order: "start", age: "start",
		retention: counterRetention, most: d.bounds.counters,
	}}
	var limits usage.Limits
	rollups := 0
	if d.usageLimits != nil {
		if set, known := d.usageLimits(); known {
			limits, rollups = set, d.bounds.rollups
		}
	}
	return append(all,
		table{
			name: "usage_records", key: "number", order: "number", age: "received_at",
			retention: limits.Retention, most: limits.Most,
		},
		table{
			name: "usage_jobs", key: "job, day", order: "day", tie: "job", age: "day", wholeDays: true,
			retention: limits.Retention, most: limits.Most,
		},
		table{
			name: "usage_rollups", key: "series, quarter", order: "quarter", age: "quarter", wholeDays: true,
			retention: limits.RollupRetention, most: rollups,
		},
		table{
			name: "usage_days", key: "series, day", order: "day", tie: "series", age: "day", wholeDays: true,
			retention: limits.RollupRetention, most: rollups,
		},
		table{
			name: "usage_tags", key: "series, quarter, tag", order: "quarter", age: "quarter", wholeDays: true,
			retention: limits.RollupRetention, most: rollups,
		},
	)
}

// purgeUsage removes the rows of token usage beyond the bounds of their table, and counts the others.
func (d *DB) purgeUsage(ctx context.Context, now time.Time) error {
	var errs []error
	for _, t := range d.usageTables() {
		errs = append(errs, d.removeOld(ctx, &t, now), d.removeCounted(ctx, &t))
	}
	return errors.Join(append(errs, d.removeUnusedSeries(ctx, now))...)
}

// removeCounted removes the rows beyond the bound of a table that is too large to be counted by one operation. It
// counts the newest first: replicas that do the same at once do not remove more.
func (d *DB) removeCounted(ctx context.Context, t *table) error {
	var rows int64
	for until := int64(math.MaxInt64); ; {
		slice, n, err := d.countSlice(ctx, t, until)
		if err != nil {
			return err
		}
		if slice == nil {
			break
		}
		if most := int64(t.most); most > 0 && rows+n > most {
			return d.removeFrom(ctx, t, *slice, most-rows, rows)
		}
		rows, until = rows+n, slice.from
	}
	d.tables.change(t.name, func(one *Table) { one.Rows = rows })
	return nil
}

// countSlice counts the newest rows before an instant, or a number.
func (d *DB) countSlice(ctx context.Context, t *table, until int64) (*span, int64, error) {
	newest, err := query(ctx, d, "find rows of "+t.name, readMaybeInt,
		"SELECT max("+t.order+") FROM "+t.name+" WHERE "+t.order+" < $1", until)
	if err != nil || newest[0] == nil {
		return nil, 0, err
	}
	long := countedAtOnce.Microseconds()
	if t.order == "number" {
		long = recordsCounted
	}
	slice := &span{*newest[0] - long + 1, *newest[0] + 1}
	counted, err := query(ctx, d, "count the rows of "+t.name, readInt,
		"SELECT count(*) FROM "+t.name+" WHERE "+t.order+" >= $1 AND "+t.order+" < $2", slice.from, slice.until)
	if err != nil {
		return nil, 0, err
	}
	return slice, counted[0], nil
}

// removeFrom removes all but the newest rows of a slice, and everything before it.
func (d *DB) removeFrom(ctx context.Context, t *table, slice span, kept, newer int64) error {
	columns, comparison := t.order, t.order+" <= $1"
	if t.tie != "" {
		columns, comparison = t.order+", "+t.tie, "("+t.order+", "+t.tie+") <= ($1, $2)"
	}
	newest, err := query(ctx, d, "find the excess rows of "+t.name, readPosition(t),
		"SELECT "+columns+" FROM "+t.name+" WHERE "+t.order+" < $1 ORDER BY "+
			strings.ReplaceAll(columns, ",", " DESC,")+" DESC LIMIT 1 OFFSET $2",
		slice.until, kept)
	if err != nil || len(newest) == 0 {
		return err
	}
	if err := d.removeInBatches(ctx, t, removedExcess, comparison, newest[0]...); err != nil {
		return err
	}
	counted, err := query(ctx, d, "count the rows of "+t.name, readInt,
		"SELECT count(*) FROM "+t.name+" WHERE "+t.order+" < $1", slice.until)
	if err == nil {
		d.tables.change(t.name, func(one *Table) { one.Rows = newer + counted[0] })
	}
	return err
}

// readPosition reads the place of a row in the order of its table.
func readPosition(t *table) func(row) ([]any, error) {
	return func(from row) ([]any, error) {
		var order, tie any
		if t.tie == "" {
			err := from.Scan(&order)
			return []any{order}, err
		}
		err := from.Scan(&order, &tie)
		return []any{order, tie}, err
	}
}

// seriesMargin is longer than the time that a series is in use after the one that is stored, and than any transaction.
const seriesMargin = 2 * touchEvery

// removeUnusedSeries removes the series that were last used before everything that is left.
func (d *DB) removeUnusedSeries(ctx context.Context, now time.Time) error {
	oldest := now.UnixMicro()
	for table, column := range map[string]string{
		"usage_records": "received_at", "usage_rollups": "quarter", "usage_days": "day", "usage_tags": "quarter",
	} {
		first, err := query(ctx, d, "find rows of "+table, readMaybeInt, "SELECT min("+column+") FROM "+table)
		if err != nil {
			return err
		}
		if first[0] != nil {
			oldest = min(oldest, *first[0])
		}
	}
	series := table{name: "usage_series", key: "id"}
	unused := oldest - seriesMargin.Microseconds()
	if err := d.removeInBatches(ctx, &series, removedOld, "used_at < $1", unused); err != nil {
		return err
	}
	counted, err := query(ctx, d, "count the rows of usage_series", readInt, "SELECT count(*) FROM usage_series")
	if err != nil {
		return err
	}
	d.tables.change("usage_series", func(one *Table) { one.Rows = counted[0] })
	return nil
}
