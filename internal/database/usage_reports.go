package database

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"keywright.dev/keywright/internal/manage/usage"
)

const (
	// quartersAtOnce and daysAtOnce bound the time whose roll-ups one operation reads. So a report over years does not
	// hold up others.
	quartersAtOnce, daysAtOnce = 7 * 24 * time.Hour, 366 * 24 * time.Hour
	// recordsPerSlice bounds the records that one operation of a report by job reads.
	recordsPerSlice = 20_000
)

// span is a part of time, in microseconds since 1970: from is inclusive, until exclusive.
type span struct{ from, until int64 }

func spanOf(since, until time.Time) span {
	s := span{math.MinInt64, math.MaxInt64}
	if !since.IsZero() {
		s.from = since.UnixMicro()
	}
	if !until.IsZero() {
		s.until = until.UnixMicro()
	}
	return s
}

// reading is what a report reads.
type reading struct {
	table, column string
	// atOnce bounds the time whose rows one operation reads.
	atOnce time.Duration
	// group are the columns of a group, by their expressions.
	group []string
	// by is what the statement groups by. The columns depend on it.
	by string
	// key returns the key of a group.
	key func(columns []any) string
	// sums are the expressions of the sums.
	sums []string
}

// from is in the order in which SQLite reads: the roll-ups of one series after the other, which needs no sorting, or
// the records by their index.
func (r *reading) from() string {
	if r.table == "usage_records" {
		return "usage_records r CROSS JOIN usage_series s"
	}
	return "usage_series s CROSS JOIN " + r.table + " r"
}

// seriesColumns are the columns of the groupings whose groups are sets of series.
var seriesColumns = map[usage.Grouping][]string{
	usage.ByCallType:  {"s.call_type"},
	usage.ByKey:       {"s.key_name"},
	usage.ByModel:     {"s.provider", "s.model"},
	usage.ByNamespace: {"s.namespace"},
	usage.ByOwner:     {"s.owner"},
	usage.ByProvider:  {"s.provider"},
	usage.ByStatus:    {"s.status"},
}

// readingOf returns what the lines of a report come from.
func readingOf(q *usage.Query) *reading {
	r := &reading{
		table: "usage_rollups", column: "quarter", atOnce: quartersAtOnce, by: "s.id", sums: totalsColumns, key: joined,
	}
	if isOfDays(q) {
		r.table, r.column, r.atOnce = "usage_days", "day", daysAtOnce
	}
	switch {
	case q.GroupBy == usage.ByJob:
		r.table, r.column, r.group, r.by, r.sums = "usage_records", "at", []string{"r.job"}, "r.job", recordSums
	case q.GroupBy == usage.ByTag:
		r.table, r.group, r.by = "usage_tags", []string{"r.tag"}, "r.tag"
	case q.GroupBy.IsTime():
		r.by = "r." + r.column
		r.group = []string{r.by}
		r.key = func(columns []any) string { return q.GroupBy.KeyAt(instant(columns[0].(int64)), q.Zone) }
	default:
		r.group = seriesColumns[q.GroupBy]
	}
	return r
}

// isOfDays reports whether a report has whole days in UTC only, so that the sums of days are enough.
func isOfDays(q *usage.Query) bool {
	for _, bound := range []time.Time{q.Since, q.Until} {
		if !bound.IsZero() && !bound.Equal(usage.Day.StartOf(bound)) {
			return false
		}
	}
	if q.GroupBy == usage.ByJob || q.GroupBy == usage.ByTag || q.GroupBy == usage.ByHour {
		return false
	}
	return !q.GroupBy.IsTime() || q.Zone == nil || q.Zone == time.UTC
}

// recordSums are the columns of totals for one record.
var recordSums = []string{
	"1", "CASE WHEN r.cost IS NULL THEN 1 ELSE 0 END", "CASE WHEN r.duration_ms IS NULL THEN 0 ELSE 1 END",
	"r.input", "r.output", "r.cache_read", "r.cache_write", "r.reasoning",
	"coalesce(r.cost, 0)", "coalesce(r.duration_ms, 0)",
}

// joined is the key of a group of series: <provider> / <model>.
func joined(columns []any) string {
	var all []string
	for _, column := range columns {
		all = append(all, column.(string))
	}
	return strings.Join(all, " / ")
}

func (s usageStore) Report(ctx context.Context, q usage.Query) (*usage.Report, error) {
	lines, err := s.read(ctx, &q, readingOf(&q))
	if err != nil {
		return nil, err
	}
	sums := lines
	if q.GroupBy == usage.ByTag {
		// A record counts in the line of each of its tags.
		all := q
		all.GroupBy = ""
		if sums, err = s.read(ctx, &all, readingOf(&all)); err != nil {
			return nil, err
		}
	}
	var report usage.Report
	for _, line := range sums {
		report.Add(line)
	}
	if report.Calls == 0 {
		report.Cost = new(usage.Money)
	}
	if q.GroupBy == "" {
		return &report, nil
	}
	for key, line := range lines {
		report.Lines = append(report.Lines, usage.Line{Key: key, Totals: *line})
	}
	usage.SortLines(report.Lines)
	return &report, nil
}

// read returns the totals of each group by its key.
func (s usageStore) read(ctx context.Context, q *usage.Query, r *reading) (map[string]*usage.Totals, error) {
	groups := map[string]*usage.Totals{}
	within := spanOf(q.Since, q.Until)
	for {
		slice, err := s.sliceFrom(ctx, r, within)
		if err != nil || slice == nil {
			return groups, err
		}
		if err := s.readSlice(ctx, q, r, *slice, groups); err != nil {
			return nil, err
		}
		within.from = slice.until
	}
}

// sliceFrom returns the first part of a span that has rows, as long as one operation reads, or nil.
func (d *DB) sliceFrom(ctx context.Context, r *reading, within span) (*span, error) {
	if r.table == "usage_records" {
		return d.recordsFrom(ctx, r.table, within)
	}
	return d.firstSlice(ctx, r.table, r.column, within, r.atOnce.Microseconds())
}

// firstSlice returns the first part of a span that has rows, at most long, or nil.
func (d *DB) firstSlice(ctx context.Context, table, column string, within span, long int64) (*span, error) {
	first, err := query(ctx, d, "find rows of "+table, readMaybeInt,
		"SELECT min("+column+") FROM "+table+" WHERE "+column+" >= $1 AND "+column+" < $2", within.from, within.until)
	if err != nil || first[0] == nil {
		return nil, err
	}
	from := *first[0]
	return &span{from, min(usage.Sum(from, long), within.until)}, nil
}

func readMaybeInt(from row) (n *int64, err error) {
	err = from.Scan(&n)
	return n, err
}

// recordsFrom returns the first part of a span that has records, or nil.
func (d *DB) recordsFrom(ctx context.Context, table string, within span) (*span, error) {
	first, err := d.firstSlice(ctx, table, "at", within, math.MaxInt64)
	if err != nil || first == nil {
		return nil, err
	}
	after, err := query(ctx, d, "find rows of "+table, readInt,
		"SELECT at FROM "+table+" WHERE at >= $1 AND at < $2 ORDER BY at LIMIT 1 OFFSET $3",
		first.from, first.until, recordsPerSlice)
	if err == nil && len(after) > 0 {
		// However many records there are at one instant, it is progress.
		first.until = max(after[0], first.from+1)
	}
	return first, err
}

// readSlice adds the totals of a part of the time to the groups.
func (s usageStore) readSlice(
	ctx context.Context, q *usage.Query, r *reading, slice span, groups map[string]*usage.Totals,
) error {
	exact := make(map[string]*usage.Totals)
	err := s.do(ctx, "report token usage", func(ctx context.Context) error {
		clear(exact)
		err := s.readSums(ctx, q, r, slice, exact, plainSums)
		if err != nil && isOverflow(err) {
			clear(exact)
			err = s.readSums(ctx, q, r, slice, exact, splitSums)
		}
		return err
	})
	for key, sum := range exact {
		addTo(groups, key, sum)
	}
	return err
}

func (s usageStore) readSums(
	ctx context.Context, q *usage.Query, r *reading, slice span, groups map[string]*usage.Totals,
	sums func([]string) string,
) error {
	w := selection(q)
	w.add("r."+r.column+" >=", slice.from)
	w.add("r."+r.column+" <", slice.until)
	//nolint:gosec // only constants are concatenated
	statement := "SELECT " + strings.Join(append(r.group[:len(r.group):len(r.group)], sums(r.sums)), ", ") +
		" FROM " + r.from() + w.String() + " AND r.series = s.id GROUP BY " + r.by
	rows, err := s.pool.QueryContext(ctx, statement, w.parameters...)
	if err != nil {
		return err
	}
	_, err = collect(rows, func(from row) (struct{}, error) {
		columns, sum, err := scanSums(from, len(r.group))
		if err == nil {
			addTo(groups, r.key(columns), sum)
		}
		return struct{}{}, err
	})
	return err
}

// selection has the conditions that a query has for series.
func selection(q *usage.Query) (w where) {
	w.equal("s.provider", q.Provider)
	w.equal("s.model", q.Model)
	w.equal("s.call_type", q.CallType)
	return w
}

// A sum is read in two parts, because it may not fit in an integer: the first counts 2^32 each. plainSums is for those
// that fit, and three times as fast in SQLite.
func plainSums(columns []string) string {
	var all []string
	for _, column := range columns {
		all = append(all, fmt.Sprintf("0, CAST(sum(%s) AS BIGINT)", column))
	}
	return strings.Join(all, ", ")
}

func splitSums(columns []string) string {
	var all []string
	for _, column := range columns {
		high, low := splitSum(column)
		all = append(all, high, low)
	}
	return strings.Join(all, ", ")
}

// splitSum returns the two parts of one sum.
func splitSum(column string) (high, low string) {
	// PostgreSQL does not shift a constant by so much.
	wide := "CAST(" + column + " AS BIGINT)"
	return "CAST(sum(" + wide + " >> 32) AS BIGINT)", "CAST(sum(" + wide + " & 4294967295) AS BIGINT)"
}

// isOverflow reports whether a sum did not fit in an integer. The error of SQLite has no code of its own.
func isOverflow(err error) bool {
	return sqlState(err) == outOfRange ||
		code(err) == sqlite3.SQLITE_ERROR && strings.Contains(err.Error(), "integer overflow")
}

// scanSums reads the columns of a group, and the two parts of each sum.
func scanSums(from row, columns int) (group []any, t *usage.Totals, err error) {
	group, parts := make([]any, columns), make([]int64, 2*len(totalsColumns))
	var into []any
	for i := range group {
		into = append(into, &group[i])
	}
	for i := range parts {
		into = append(into, &parts[i])
	}
	if err := from.Scan(into...); err != nil {
		return nil, nil, err
	}
	var sums []int64
	for i := 0; i < len(parts); i += 2 {
		sums = append(sums, whole(parts[i], parts[i+1]))
	}
	return group, totalsFrom(sums), nil
}

// whole returns the sum of the two parts, or usage.MaxSum if that is greater.
func whole(high, low int64) int64 {
	high += low >> 32
	if high >= 1<<31 {
		return usage.MaxSum
	}
	return high<<32 | low&math.MaxUint32
}

// totalsFrom is the reverse of totalsValues.
func totalsFrom(sums []int64) *usage.Totals {
	t := &usage.Totals{
		Calls: sums[0], Unpriced: sums[1], Timed: sums[2], DurationMS: sums[9],
		Tokens: usage.Tokens{
			Input: sums[3], Output: sums[4], CacheRead: sums[5], CacheWrite: sums[6], Reasoning: sums[7],
		},
	}
	if t.Unpriced < t.Calls {
		cost := usage.Money(sums[8])
		t.Cost = &cost
	}
	return t
}

func (s usageStore) TopJobs(ctx context.Context, since time.Time, limit int) (top []usage.Line, err error) {
	err = s.do(ctx, "find the top jobs", func(ctx context.Context) error {
		top, err = s.topJobs(ctx, usage.Day.StartOf(since), limit, plainSums)
		if err != nil && isOverflow(err) {
			top, err = s.topJobs(ctx, usage.Day.StartOf(since), limit, splitSums)
		}
		return err
	})
	return top, err
}

// topJobs compares sums of costs in two parts, as splitSums returns them: their sum may not fit in an integer.
func (s usageStore) topJobs(
	ctx context.Context, since time.Time, limit int, sums func([]string) string,
) ([]usage.Line, error) {
	high, low := splitSum("cost")
	//nolint:gosec // only constants are concatenated
	rows, err := s.pool.QueryContext(ctx, "SELECT job, "+sums(totalsColumns)+" FROM usage_jobs"+
		// With the plus no index is used: the rows are in the order of jobs.
		" WHERE +day >= $1 GROUP BY job ORDER BY CASE WHEN sum(unpriced) < sum(calls) THEN 0 ELSE 1 END,"+
		" "+high+" + ("+low+" >> 32) DESC, "+low+" & 4294967295 DESC, job LIMIT $2",
		since.UnixMicro(), limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(from row) (usage.Line, error) {
		columns, sum, err := scanSums(from, 1)
		if err != nil {
			return usage.Line{}, err
		}
		return usage.Line{Key: columns[0].(string), Totals: *sum}, nil
	})
}

func (s usageStore) Counters(ctx context.Context, ids []usage.CounterID) (all []usage.Counter, err error) {
	err = inBatches(ids, func(batch []usage.CounterID) error {
		var values []any
		var which []string
		for _, id := range batch {
			n := len(values)
			values = append(values, text(id.KeyUID), text(id.Role), string(id.Period), id.Start.UnixMicro())
			which = append(which,
				fmt.Sprintf("key_uid = $%d AND role = $%d AND period = $%d AND start = $%d", n+1, n+2, n+3, n+4))
		}
		some, err := query(ctx, s.DB, "read counters of budgets", readCounter,
			"SELECT key_uid, role, period, start, tokens, cost FROM usage_counters WHERE "+strings.Join(which, " OR "),
			values...)
		all = append(all, some...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func readCounter(from row) (c usage.Counter, err error) {
	var start int64
	err = from.Scan(&c.KeyUID, &c.Role, &c.Period, &start, &c.Tokens, &c.Cost)
	c.Start = instant(start)
	return c, err
}
