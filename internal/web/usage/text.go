package usage

import (
	"fmt"
	"net/url"
	"time"

	"keywright.dev/keywright/internal/manage/tokenusage"
	"keywright.dev/keywright/internal/manage/usage"
	"keywright.dev/keywright/internal/web"
	"keywright.dev/keywright/internal/web/chart"
)

// unknownPrice is the cost of calls without a known price. It is never shown as 0.
const unknownPrice = "unknown price"

// cost is an amount as it is shown. Exact has all its decimals.
type cost struct{ Text, Exact string }

// costOf returns the known cost of some calls. Without a call it is 0.
func costOf(t *usage.Totals) cost {
	switch {
	case t.Cost == nil && t.Calls > 0:
		return cost{unknownPrice, "No price is known for these calls"}
	case t.Cost == nil:
		return cost{"$0.00", "$0"}
	}
	return moneyOf(*t.Cost)
}

func moneyOf(m usage.Money) cost {
	exact := "$" + m.String()
	const cent = usage.Dollar / 100
	if m > 0 && m < cent {
		return cost{"<$0.01", exact}
	}
	cents := (m + cent/2) / cent
	if m > usage.MaxSum-cent {
		cents = m / cent
	}
	return cost{fmt.Sprintf("$%s.%02d", web.Grouped(int64(cents/100)), cents%100), exact}
}

// unpriced says how many calls a cost leaves out.
func unpriced(t *usage.Totals) string {
	if t.Cost == nil || t.Unpriced == 0 {
		return ""
	}
	if t.Unpriced == 1 {
		return "without 1 call of unknown price"
	}
	return "without " + web.Grouped(t.Unpriced) + " calls of unknown price"
}

// card is the usage of one period.
type card struct {
	Title, Path   string
	Cost          cost
	Calls, Tokens int64
	// Cached are the tokens besides that were read from a cache or written to one.
	Cached   int64
	Unpriced string
}

func cardsOf(s *tokenusage.Summary) []card {
	one := func(title, days string, t *usage.Totals) card {
		return card{
			Title: title, Path: "/usage?" + url.Values{paramPeriod: {days}}.Encode(), Cost: costOf(t), Calls: t.Calls,
			Tokens: t.Total(), Cached: t.Cached(), Unpriced: unpriced(t),
		}
	}
	return []card{
		one("Today", "today", &s.Today), one("Last 7 days", "7d", &s.Week), one("Last 30 days", "30d", &s.Month),
	}
}

// top is a model or a job with a high cost.
type top struct {
	Name, Path string
	Calls      int64
	Cost       cost
	Bar        any
}

// topsOf shows lines with a bar each. path may be nil.
func topsOf(lines []usage.Line, path func(string) string) (all []top) {
	highest := 0.0
	for i := range lines {
		highest = max(highest, valueOf(&lines[i].Totals, showCost))
	}
	for i := range lines {
		l := &lines[i]
		one := top{Name: l.Key, Calls: l.Calls, Cost: costOf(&l.Totals)}
		if path != nil {
			one.Path = path(l.Key)
		}
		part := 0.0
		if highest > 0 {
			part = valueOf(&l.Totals, showCost) / highest
		}
		one.Bar = chart.Meter(part, chart.Plain)
		all = append(all, one)
	}
	return all
}

// jobPath returns the path of the calls of a job, or "" if it can have none.
func jobPath(name string) string { return web.Below("/usage/jobs", name) }

// duration shows milliseconds.
func duration(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
