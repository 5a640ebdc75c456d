package tokenusage

import (
	"context"
	"slices"
	"strings"
	"time"

	"keywright.dev/keywright/internal/manage"
	"keywright.dev/keywright/internal/manage/usage"
)

// maxSeries is how many models have a series of their own in a timeline.
const maxSeries = 6

// Timeline is usage over time, by model.
type Timeline struct {
	// By is what a label stands for: an hour, a day, a week or a month. Labels are without gaps.
	By     usage.Grouping
	Labels []string
	Series []Series
}

// Series is the usage of a model, at each label. Model is empty for all other models.
type Series struct {
	Model  string
	Totals []usage.Totals
}

// Timeline returns the usage of a query over time: that of the models with the highest cost, and of all others. It
// ignores GroupBy.
func (s *Service) Timeline(
	ctx context.Context, caller manage.Caller, read manage.Read[usage.Query],
) (*Timeline, error) {
	q, err := s.readQuery(caller, read)
	if err != nil {
		return nil, err
	}
	q.GroupBy = usage.ByModel
	q = q.Rounded()
	models, err := s.Store.Report(ctx, q)
	if err != nil {
		return nil, failed(err)
	}
	q.GroupBy = spanFor(q.Since, q.Until, s.Now())
	whole, err := s.Store.Report(ctx, q)
	if err != nil {
		return nil, failed(err)
	}
	line := &Timeline{By: q.GroupBy, Labels: labels(&q, whole.Lines, s.Now())}
	for _, model := range models.Lines[:min(maxSeries, len(models.Lines))] {
		provider, name, _ := strings.Cut(model.Key, " / ")
		of := q
		of.Provider, of.Model = provider, name
		report, err := s.Store.Report(ctx, of)
		if err != nil {
			return nil, failed(err)
		}
		line.add(model.Key, report.Lines)
	}
	line.addRest(whole.Lines)
	return line, nil
}

// Spans of time up to which a timeline has hours, days and weeks.
const hoursUpTo, daysUpTo, weeksUpTo = 3 * 24 * time.Hour, 100 * 24 * time.Hour, 800 * 24 * time.Hour

// spanFor returns what the labels of a timeline stand for.
func spanFor(since, until, now time.Time) usage.Grouping {
	if until.IsZero() || until.After(now) {
		until = now
	}
	switch length := until.Sub(since); {
	case since.IsZero() || length > weeksUpTo:
		return usage.ByMonth
	case length > daysUpTo:
		return usage.ByWeek
	case length > hoursUpTo:
		return usage.ByDay
	}
	return usage.ByHour
}

// maxLabels bounds the steps and the labels of a timeline.
const maxLabels = 2400

// labels returns the keys of all groups of a query up to now, in order. Without a beginning, they begin with the first
// group that has calls.
func labels(q *usage.Query, lines []usage.Line, now time.Time) (all []string) {
	at, until := q.Since, q.Until
	if until.IsZero() || until.After(now) {
		until = now
	}
	known := make([]string, 0, len(lines))
	for i := range lines {
		known = append(known, lines[i].Key)
	}
	slices.Sort(known)
	if at.IsZero() {
		if len(known) == 0 {
			return nil
		}
		at, _ = time.Parse("2006-01", known[0])
	}
	all = keysBetween(q, at, until)
	for _, key := range known {
		// Calls may be some minutes ahead.
		if len(all) == 0 || key > all[len(all)-1] && len(all) < maxLabels {
			all = append(all, key)
		}
	}
	return all
}

// steps are short enough to meet every group, through changes of the clock too.
var steps = map[usage.Grouping]time.Duration{
	usage.ByHour: time.Hour, usage.ByDay: 12 * time.Hour, usage.ByWeek: 3 * 24 * time.Hour,
	usage.ByMonth: 14 * 24 * time.Hour,
}

// keysBetween returns the keys of all groups of a span of time, in order.
func keysBetween(q *usage.Query, at, until time.Time) (all []string) {
	for ; at.Before(until) && len(all) < maxLabels; at = at.Add(steps[q.GroupBy]) {
		all = append(all, q.GroupBy.KeyAt(at, q.Zone))
	}
	if len(all) > 0 && len(all) < maxLabels {
		// The last step may have passed the last group.
		all = append(all, q.GroupBy.KeyAt(until.Add(-1), q.Zone))
	}
	return slices.Compact(all)
}

// add adds the series of a model, unless it has no calls: its name may have the separator of groups in it.
func (t *Timeline) add(model string, lines []usage.Line) {
	if len(lines) == 0 {
		return
	}
	t.Series = append(t.Series, Series{model, t.totals(lines)})
}

// totals returns the totals at each label.
func (t *Timeline) totals(lines []usage.Line) []usage.Totals {
	byKey := make(map[string]*usage.Totals, len(lines))
	for i := range lines {
		byKey[lines[i].Key] = &lines[i].Totals
	}
	all := make([]usage.Totals, len(t.Labels))
	for i, label := range t.Labels {
		if found := byKey[label]; found != nil {
			all[i] = *found
		}
	}
	return all
}

// addRest adds what the series leave of the whole, if there is something.
func (t *Timeline) addRest(whole []usage.Line) {
	rest, left := t.totals(whole), false
	for i := range rest {
		for _, s := range t.Series {
			subtract(&rest[i], &s.Totals[i])
		}
		left = left || rest[i].Calls > 0
	}
	if left {
		t.Series = append(t.Series, Series{Totals: rest})
	}
}

// subtract leaves nothing under 0: sums end at usage.MaxSum.
func subtract(from, part *usage.Totals) {
	from.Calls = max(0, from.Calls-part.Calls)
	from.Input = max(0, from.Input-part.Input)
	from.Output = max(0, from.Output-part.Output)
	from.CacheRead = max(0, from.CacheRead-part.CacheRead)
	from.CacheWrite = max(0, from.CacheWrite-part.CacheWrite)
	if from.Cost != nil && part.Cost != nil {
		left := max(0, *from.Cost-*part.Cost)
		from.Cost = &left
	}
}
