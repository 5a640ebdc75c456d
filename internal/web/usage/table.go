package usage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
)

// perPage is how many rows a page has.
const perPage = 100

// reportPart is the table of a report.
type reportPart struct {
	Totals   usage.Totals
	Cost     cost
	Unpriced string
	// GroupedBy is the grouping in words.
	GroupedBy string
	Columns   []column
	Rows      []row
	Pager     pager
	// CoversSince is not zero if the report has the calls that were received since then only.
	CoversSince time.Time
	// HasTags: a call counts in the row of each of its tags.
	HasTags bool
}

// column is the head of a column, which sorts by it.
type column struct {
	Text, Path, Sort string
	// Arrow is the icon of the order, if the table is sorted by the column.
	Arrow string
	// Order is ascending, descending or empty, for aria-sort.
	Order  string
	Number bool
}

type row struct {
	Key, Path                                   string
	Calls, Input, Output, CacheRead, CacheWrite int64
	Cost                                        cost
	Unpriced, Average                           string
}

// pager has the fields of the component of that name.
type pager struct {
	Previous, Next  string
	From, To, Total int
	Noun            string
}

// sorting is how the table is sorted.
type sorting struct {
	by         string
	descending bool
}

const sortByKey = "group"

// comparisons are the orders by the name of their column.
var comparisons = map[string]func(a, b *usage.Line) int{
	sortByKey:     func(a, b *usage.Line) int { return strings.Compare(a.Key, b.Key) },
	"calls":       func(a, b *usage.Line) int { return cmp.Compare(a.Calls, b.Calls) },
	"input":       func(a, b *usage.Line) int { return cmp.Compare(a.Input, b.Input) },
	"output":      func(a, b *usage.Line) int { return cmp.Compare(a.Output, b.Output) },
	"cache_read":  func(a, b *usage.Line) int { return cmp.Compare(a.CacheRead, b.CacheRead) },
	"cache_write": func(a, b *usage.Line) int { return cmp.Compare(a.CacheWrite, b.CacheWrite) },
	"cost":        func(a, b *usage.Line) int { return cmp.Compare(known(a.Cost), known(b.Cost)) },
	"average":     func(a, b *usage.Line) int { return cmp.Compare(average(&a.Totals), average(&b.Totals)) },
}

// known takes an unknown cost for less than none.
func known(m *usage.Money) usage.Money {
	if m == nil {
		return -1
	}
	return *m
}

// average returns the milliseconds of a call, or -1 if they are not known.
func average(t *usage.Totals) float64 {
	if t.Timed == 0 {
		return -1
	}
	return float64(t.DurationMS) / float64(t.Timed)
}

// sortingOf reads how to sort. By default groups of time are in their order, and others begin with the highest cost.
func sortingOf(f *filters, by usage.Grouping) sorting {
	s := sorting{by: f.values.Get(paramSort)}
	if comparisons[s.by] == nil {
		s = sorting{"cost", true}
		if by.IsTime() {
			s.by = sortByKey
		}
		return s
	}
	s.descending = f.values.Get(paramOrder) != "asc"
	return s
}

func (s sorting) sort(lines []usage.Line) {
	compare := comparisons[s.by]
	slices.SortStableFunc(lines, func(a, b usage.Line) int {
		order := compare(&a, &b)
		if s.descending {
			order = -order
		}
		return cmp.Or(order, strings.Compare(a.Key, b.Key))
	})
}

func reportOf(report *tokenusage.Report, f *filters) *reportPart {
	by := report.Query.GroupBy
	s := sortingOf(f, by)
	s.sort(report.Lines)
	part := &reportPart{
		Totals: report.Totals, Cost: costOf(&report.Totals), Unpriced: unpriced(&report.Totals),
		GroupedBy: groupingText(by), Columns: columnsOf(f, s, by), CoversSince: report.CoversSince,
		HasTags: by == usage.ByTag,
	}
	from, to := part.Pager.set(len(report.Lines), pageOf(f.Value(paramPage)), func(page string) string {
		return f.with(paramPage, page)
	})
	part.Pager.Noun = "group"
	for i := range report.Lines[from:to] {
		part.Rows = append(part.Rows, rowOf(&report.Lines[from+i], by))
	}
	return part
}

// set fills in the pager, and returns the rows of a page. A page after the last one is the last one.
func (p *pager) set(total, page int, path func(page string) string) (from, to int) {
	page = min(page, max(1, (total+perPage-1)/perPage))
	from, to = (page-1)*perPage, min(page*perPage, total)
	p.Total, p.From, p.To = total, from+1, to
	if page > 1 {
		p.Previous = path(fmt.Sprint(page - 1))
	}
	if to < total {
		p.Next = path(fmt.Sprint(page + 1))
	}
	return from, to
}

func columnsOf(f *filters, s sorting, by usage.Grouping) (all []column) {
	for _, c := range []column{
		{Text: groupingText(by), Sort: sortByKey}, {Text: "Calls", Sort: "calls", Number: true},
		{Text: "Input", Sort: "input", Number: true}, {Text: "Output", Sort: "output", Number: true},
		{Text: "Cache read", Sort: "cache_read", Number: true}, {Text: "Cache write", Sort: "cache_write", Number: true},
		{Text: "Average time", Sort: "average", Number: true}, {Text: "Cost", Sort: "cost", Number: true},
	} {
		// Numbers begin with the highest, and names with the first.
		order := "desc"
		if c.Sort == sortByKey {
			order = "asc"
		}
		if c.Sort == s.by {
			c.Order, c.Arrow, order = "ascending", "arrow-up", "desc"
			if s.descending {
				c.Order, c.Arrow, order = "descending", "arrow-down", "asc"
			}
		}
		c.Path = f.with(paramSort, c.Sort, paramOrder, order, paramPage, "")
		all = append(all, c)
	}
	return all
}

func rowOf(l *usage.Line, by usage.Grouping) row {
	r := row{
		Key: l.Key, Calls: l.Calls, Input: l.Input, Output: l.Output, CacheRead: l.CacheRead, CacheWrite: l.CacheWrite,
		Cost: costOf(&l.Totals), Unpriced: unpriced(&l.Totals),
	}
	if by == usage.ByJob {
		r.Path = jobPath(l.Key)
	}
	if ms := average(&l.Totals); ms >= 0 {
		r.Average = duration(ms)
	}
	return r
}
