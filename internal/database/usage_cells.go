package database

import (
	"cmp"
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"

	"keywright.dev/keywright/internal/manage/usage"
)

type (
	rollupCell struct{ series, quarter int64 }
	dayCell    struct{ series, day int64 }
	tagCell    struct {
		rollupCell
		tag string
	}
	jobCell struct {
		job string
		day int64
	}
	counterCell struct {
		keyUID, role string
		period       usage.Period
		start        int64
	}
)

// cells are what some records add to the roll-ups and counters.
type cells struct {
	rollups  map[rollupCell]*usage.Totals
	days     map[dayCell]*usage.Totals
	tags     map[tagCell]*usage.Totals
	jobs     map[jobCell]*usage.Totals
	counters map[counterCell]*usage.Totals
}

func newCells() *cells {
	return &cells{
		rollups: map[rollupCell]*usage.Totals{}, days: map[dayCell]*usage.Totals{}, tags: map[tagCell]*usage.Totals{},
		jobs: map[jobCell]*usage.Totals{}, counters: map[counterCell]*usage.Totals{},
	}
}

// addTo adds to the sum of a cell.
func addTo[C comparable](all map[C]*usage.Totals, cell C, more *usage.Totals) {
	sum := all[cell]
	if sum == nil {
		sum = &usage.Totals{}
		all[cell] = sum
	}
	sum.Add(more)
}

func (c *cells) addRecord(r *usageRow) {
	totals := usage.TotalsOf(r.Record)
	c.add(r, rolesOf(r.Record), &totals)
}

// add adds what a record with these roles changes to all its cells.
func (c *cells) add(r *usageRow, roles []string, change *usage.Totals) {
	at := rollupCell{r.series, usage.QuarterOf(r.At).UnixMicro()}
	day := usage.Day.StartOf(r.At).UnixMicro()
	addTo(c.rollups, at, change)
	addTo(c.days, dayCell{r.series, day}, change)
	for _, tag := range r.Tags {
		addTo(c.tags, tagCell{at, text(tag)}, change)
	}
	if r.Job != "" {
		addTo(c.jobs, jobCell{text(r.Job), day}, change)
	}
	for _, period := range usage.Periods() {
		start := period.StartOf(r.At).UnixMicro()
		if r.Reporter.KeyUID != "" {
			addTo(c.counters, counterCell{keyUID: text(r.Reporter.KeyUID), period: period, start: start}, change)
		}
		for _, role := range roles {
			addTo(c.counters, counterCell{role: text(role), period: period, start: start}, change)
		}
	}
}

// cellTable is a table of sums.
type cellTable[C comparable] struct {
	name string
	// key are the columns of the primary key, and values their values.
	key     []string
	compare func(a, b C) int
	values  func(C) []any
	// sums are the columns with sums, and sumsOf their values.
	sums   []string
	sumsOf func(*usage.Totals) []any
}

var totalsColumns = []string{
	"calls", "unpriced", "timed", "input", "output", "cache_read", "cache_write", "reasoning", "cost", "duration_ms",
}

func totalsValues(t *usage.Totals) []any {
	var cost usage.Money
	if t.Cost != nil {
		cost = *t.Cost
	}
	return []any{
		t.Calls, t.Unpriced, t.Timed, t.Input, t.Output, t.CacheRead, t.CacheWrite, t.Reasoning, int64(cost), t.DurationMS,
	}
}

var rollupTable = cellTable[rollupCell]{
	name: "usage_rollups", key: []string{"series", "quarter"},
	compare: func(a, b rollupCell) int {
		return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.quarter, b.quarter))
	},
	values: func(c rollupCell) []any { return []any{c.series, c.quarter} },
	sums:   totalsColumns, sumsOf: totalsValues,
}

var dayTable = cellTable[dayCell]{
	name: "usage_days", key: []string{"series", "day"},
	compare: func(a, b dayCell) int { return cmp.Or(cmp.Compare(a.series, b.series), cmp.Compare(a.day, b.day)) },
	values:  func(c dayCell) []any { return []any{c.series, c.day} },
	sums:    totalsColumns, sumsOf: totalsValues,
}

var tagTable = cellTable[tagCell]{
	name: "usage_tags", key: []string{"series", "quarter", "tag"},
	compare: func(a, b tagCell) int {
		return cmp.Or(rollupTable.compare(a.rollupCell, b.rollupCell), strings.Compare(a.tag, b.tag))
	},
	values: func(c tagCell) []any { return []any{c.series, c.quarter, c.tag} },
	sums:   totalsColumns, sumsOf: totalsValues,
}

var jobTable = cellTable[jobCell]{
	name: "usage_jobs", key: []string{"job", "day"},
	compare: func(a, b jobCell) int { return cmp.Or(strings.Compare(a.job, b.job), cmp.Compare(a.day, b.day)) },
	values:  func(c jobCell) []any { return []any{c.job, c.day} },
	sums:    totalsColumns, sumsOf: totalsValues,
}

var counterTable = cellTable[counterCell]{
	name: "usage_counters", key: []string{"key_uid", "role", "period", "start"},
	compare: func(a, b counterCell) int {
		return cmp.Or(strings.Compare(a.keyUID, b.keyUID), strings.Compare(a.role, b.role),
			strings.Compare(string(a.period), string(b.period)), cmp.Compare(a.start, b.start))
	},
	values: func(c counterCell) []any { return []any{c.keyUID, c.role, string(c.period), c.start} },
	sums:   []string{"tokens", "cost"},
	sumsOf: func(t *usage.Totals) []any {
		all := totalsValues(t)
		return []any{t.All(), all[slices.Index(totalsColumns, "cost")]}
	},
}

// change is what some records change in one table. Both methods work on the rows in the order of their keys.
type change interface {
	// save adds the sums to those that are stored.
	save(ctx context.Context, w writing) error
	// correct adds changes of costs, which may be negative, to the sums that are still stored.
	correct(ctx context.Context, transaction *sql.Tx) error
}

// changeOf is a change of a table with these cells.
type changeOf[C comparable] struct {
	*cellTable[C]
	of map[C]*usage.Totals
}

// changes lists every table. All transactions change them in this order, so they do not deadlock.
func (c *cells) changes() []change {
	return []change{
		changeOf[rollupCell]{&rollupTable, c.rollups}, changeOf[dayCell]{&dayTable, c.days},
		changeOf[tagCell]{&tagTable, c.tags}, changeOf[jobCell]{&jobTable, c.jobs},
		changeOf[counterCell]{&counterTable, c.counters},
	}
}

func (c *cells) save(ctx context.Context, w writing) error {
	for _, table := range c.changes() {
		if err := table.save(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (c *cells) correct(ctx context.Context, transaction *sql.Tx) error {
	for _, table := range c.changes() {
		if err := table.correct(ctx, transaction); err != nil {
			return err
		}
	}
	return nil
}

// maxSum is usage.MaxSum in statements.
const maxSum = "9223372036854775807"

func (t changeOf[C]) save(ctx context.Context, w writing) error {
	var sets []string
	for _, column := range t.sums {
		stored := t.name + "." + column
		sets = append(sets, column+" = CASE WHEN "+stored+" > "+maxSum+" - excluded."+column+" THEN "+maxSum+
			" ELSE "+stored+" + excluded."+column+" END")
	}
	columns := strings.Join(slices.Concat(t.key, t.sums), ", ")
	return insertAll(ctx, w, &insertion{
		into: t.name + " (" + columns + ")",
		on:   "(" + strings.Join(t.key, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", "),
	}, slices.SortedFunc(maps.Keys(t.of), t.compare), func(cell C) []any {
		return append(t.values(cell), t.sumsOf(t.of[cell])...)
	})
}
