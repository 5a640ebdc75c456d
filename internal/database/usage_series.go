package database

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"keywright.dev/keywright/internal/manage/usage"
)

// series is what the calls of a series have in common.
type series struct {
	provider, model, callType, status, keyUID, key, owner, namespace, roles string
}

func seriesOf(r *usage.Record) series {
	return series{
		text(r.Provider), text(r.Model), text(r.CallType), text(r.Status), text(r.Reporter.KeyUID), text(r.Reporter.Key),
		text(r.Reporter.Subject), text(r.Reporter.Namespace), texts(rolesOf(r)),
	}
}

// rolesOf returns each role of a record once.
func rolesOf(r *usage.Record) []string {
	return slices.Compact(slices.Sorted(slices.Values(r.Reporter.Roles)))
}

func (s *series) columns() []string {
	return []string{
		s.provider, s.model, s.callType, s.status, s.keyUID, s.key, s.owner, s.namespace, s.roles,
	}
}

// touchEvery is how often the time of a series' last use is stored.
const touchEvery = 24 * time.Hour

// seriesRow is a row of usage_series.
type seriesRow struct {
	series
	mark mark
	id   int64
	// usedAt is the last use, and storedAt the one that is stored.
	usedAt, storedAt int64
}

// findSeries sets the series of each record, and stores those that are new.
func findSeries(ctx context.Context, w writing, records []usageRow) error {
	byName := map[series]*seriesRow{}
	of := make([]*seriesRow, len(records))
	for i, r := range records {
		s := seriesOf(r.Record)
		if byName[s] == nil {
			byName[s] = &seriesRow{series: s, mark: markOf(s.columns()...)}
		}
		of[i] = byName[s]
		of[i].usedAt = max(of[i].usedAt, r.ReceivedAt.UnixMicro())
	}
	all := slices.SortedFunc(maps.Values(byName), func(a, b *seriesRow) int { return bytes.Compare(a.mark[:], b.mark[:]) })
	if err := readSeries(ctx, w, all); err != nil {
		return err
	}
	if err := storeSeries(ctx, w, all); err != nil {
		return err
	}
	for i := range records {
		records[i].series = of[i].id
	}
	return nil
}

func readSeries(ctx context.Context, w writing, all []*seriesRow) error {
	byMark := make(map[mark]*seriesRow, len(all))
	for _, s := range all {
		byMark[s.mark] = s
	}
	return inBatches(all, func(batch []*seriesRow) error {
		values := parameters(batch, func(s *seriesRow) []any { return []any{s.mark[:]} })
		rows, err := w.QueryContext(ctx,
			"SELECT mark, id, used_at FROM usage_series WHERE mark IN "+list(len(batch)), values...)
		if err != nil {
			return err
		}
		_, err = collect(rows, func(from row) (struct{}, error) { return struct{}{}, scanSeries(from, byMark) })
		return err
	})
}

func scanSeries(from row, byMark map[mark]*seriesRow) error {
	var raw []byte
	var id, usedAt int64
	if err := from.Scan(&raw, &id, &usedAt); err != nil {
		return err
	}
	if s := byMark[mark(raw)]; s != nil {
		s.id, s.storedAt = id, usedAt
	}
	return nil
}

// storeSeries stores the series that are new, and the last use of those that were not used for a day.
func storeSeries(ctx context.Context, w writing, all []*seriesRow) error {
	byMark := map[mark]*seriesRow{}
	var due []*seriesRow
	for _, s := range all {
		if s.id == 0 || s.usedAt-s.storedAt >= touchEvery.Microseconds() {
			due, byMark[s.mark] = append(due, s), s
		}
	}
	return insertAll(ctx, w, &insertion{
		into: "usage_series (mark, provider, model, call_type, status, key_uid, key_name, owner, namespace, roles, used_at)",
		on: "(mark) DO UPDATE SET used_at = CASE WHEN usage_series.used_at > excluded.used_at" +
			" THEN usage_series.used_at ELSE excluded.used_at END RETURNING mark, id, used_at",
		read: func(from row) error { return scanSeries(from, byMark) },
	}, due, func(s *seriesRow) []any {
		values := []any{s.mark[:]}
		for _, column := range s.columns() {
			values = append(values, column)
		}
		return append(values, s.usedAt)
	})
}
