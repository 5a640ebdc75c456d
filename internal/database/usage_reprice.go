package database

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"keywright.dev/keywright/internal/manage/usage"
)

// repricing is a record with the cost and price that are stored.
type repricing struct {
	storedRecord
	cost  *usage.Money
	price string
}

// Reprice stores each page with what it changes in roll-ups and counters in one transaction: reports are right whenever
// it is interrupted, and the next call continues.
func (s usageStore) Reprice(
	ctx context.Context, since time.Time, dryRun bool, cost func(*usage.Record),
) (result usage.Repriced, err error) {
	w := where{conditions: []string{"(r.price <> '' OR r.cost IS NULL)"}}
	err = s.eachPage(ctx, w, spanOf(since, time.Time{}), func(page []storedRecord) error {
		var changed []repricing
		var before, after usage.Money
		for _, one := range page {
			old := repricing{one, one.Cost, one.Price}
			cost(one.Record)
			before, after = usage.Sum(before, amount(old.cost)), usage.Sum(after, amount(one.Cost))
			if old.price != one.Price || nanos(old.cost) != nanos(one.Cost) {
				changed = append(changed, old)
			}
		}
		if !dryRun {
			if err := s.reprice(ctx, changed); err != nil {
				return err
			}
		}
		result.Records += int64(len(page))
		result.Changed += int64(len(changed))
		result.Before, result.After = usage.Sum(result.Before, before), usage.Sum(result.After, after)
		return nil
	})
	return result, err
}

func amount(cost *usage.Money) usage.Money {
	if cost == nil {
		return 0
	}
	return *cost
}

func (s usageStore) reprice(ctx context.Context, records []repricing) error {
	if len(records) == 0 {
		return nil
	}
	return s.transact(ctx, "store new costs", func(ctx context.Context, transaction *sql.Tx) error {
		update, err := transaction.PrepareContext(ctx, "UPDATE usage_records SET cost = $1, price = $2"+
			" WHERE number = $3 AND price = $4 AND cost IS NOT DISTINCT FROM $5")
		if err != nil {
			return err
		}
		defer func() { _ = update.Close() }()
		c := newCells()
		for _, r := range records {
			stored, err := r.store(ctx, update)
			if err != nil {
				return err
			}
			if change := r.change(); stored && change != (usage.Totals{}) {
				c.add(&r.usageRow, r.roles, &change)
			}
		}
		return c.correct(ctx, transaction)
	})
}

// store reports whether the record still had its former cost: another call may have changed it, or this one, before its
// connection broke.
func (r *repricing) store(ctx context.Context, update *sql.Stmt) (bool, error) {
	result, err := update.ExecContext(ctx, nanos(r.Cost), text(r.Price), r.number, r.price, nanos(r.cost))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// change returns what the new cost changes in sums.
func (r *repricing) change() (t usage.Totals) {
	if difference := amount(r.Cost) - amount(r.cost); difference != 0 {
		t.Cost = &difference
	}
	switch {
	case r.cost == nil && r.Cost != nil:
		t.Unpriced = -1
	case r.cost != nil && r.Cost == nil:
		t.Unpriced = 1
	}
	return t
}

func (t changeOf[C]) correct(ctx context.Context, transaction *sql.Tx) error {
	if len(t.of) == 0 {
		return nil
	}
	// A sum that has ended at its limit stays there.
	const change = "CAST($1 AS BIGINT)"
	sets := "cost = CASE WHEN cost = " + maxSum + " OR " + change + " > 0 AND cost > " + maxSum + " - " + change +
		" THEN " + maxSum + " ELSE cost + " + change + " END"
	first := 2
	if slices.Contains(t.sums, "unpriced") {
		sets, first = sets+", unpriced = unpriced + CAST($2 AS BIGINT)", 3
	}
	var key []string
	for i, column := range t.key {
		key = append(key, column+" = $"+strconv.Itoa(first+i))
	}
	//nolint:gosec // only constants are concatenated
	update, err := transaction.PrepareContext(ctx,
		"UPDATE "+t.name+" SET "+sets+" WHERE "+strings.Join(key, " AND "))
	if err != nil {
		return err
	}
	defer func() { _ = update.Close() }()
	for _, cell := range slices.SortedFunc(maps.Keys(t.of), t.compare) {
		values := []any{int64(amount(t.of[cell].Cost)), t.of[cell].Unpriced}[:first-1]
		if _, err := update.ExecContext(ctx, append(values, t.values(cell)...)...); err != nil {
			return err
		}
	}
	return nil
}
