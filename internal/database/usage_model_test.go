package database_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/manage/usage"
)

// zones have offsets of whole and of broken hours, and daylight saving; that of Lord Howe Island is half an hour.
var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
	"America/St_Johns", "Pacific/Chatham", "Pacific/Apia",
}

// aroundChanges are instants near to which the clocks of some zones change, the last at the end of an ISO year.
var aroundChanges = []time.Time{
	time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
	time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),
	time.Date(2026, 12, 31, 22, 0, 0, 0, time.UTC),
}

func location(name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// someRecords draws records that often have the same names.
func someRecords(t *rapid.T, from, n int) (all []usage.Record) {
	pick := func(of string, names ...string) string { return rapid.SampledFrom(names).Draw(t, of) }
	for i := range n {
		key := pick("key", "ci", "web", "")
		r := usage.Record{
			ID:  fmt.Sprint("r", from+i),
			Job: pick("job", "", "", "nightly", "report"), Provider: pick("provider", "anthropic", "openai"),
			Model: pick("model", "large", "small"), CallType: pick("call type", "chat", "embed"),
			Status: pick("status", usage.StatusOK, usage.StatusError),
			Tokens: usage.Tokens{
				Input: rapid.Int64Range(0, usage.MaxTokens).Draw(t, "input"), Output: int64(i), CacheRead: 3, CacheWrite: 2,
				Reasoning: 1,
			},
			PromptChars: 5, ResponseChars: 6, ServiceTier: pick("tier", "", "batch"),
			Tags: slices.Clone([][]string{nil, {"a"}, {"a", "b c"}}[rapid.IntRange(0, 2).Draw(t, "tags")]),
			Reporter: usage.Reporter{
				Subject: pick("subject", "User/alice", "Account/ci"), Namespace: pick("namespace", "default", "team"),
			},
		}
		if key != "" {
			r.Reporter.KeyUID, r.Reporter.Key = "uid-"+key, r.Reporter.Namespace+"/"+key
			r.Reporter.Roles = [][]string{nil, {"one"}, {"one", "two"}}[rapid.IntRange(0, 2).Draw(t, "roles")]
		}
		if cost := rapid.Int64Range(-5, 5).Draw(t, "cost"); cost >= 0 {
			amount := usage.Money(cost) * usage.Dollar / 7
			r.Cost, r.Price = &amount, pick("price", "", "list")
		}
		if took := rapid.Int64Range(-2, 9).Draw(t, "took"); took >= 0 {
			r.DurationMS = &took
		}
		minutes := rapid.IntRange(-50*60, 50*60).Draw(t, "minutes")
		r.At = rapid.SampledFrom(aroundChanges).Draw(t, "around").Add(time.Duration(minutes)*time.Minute + 7*time.Microsecond)
		r.ReceivedAt = noon
		all = append(all, r)
	}
	return all
}

// someQuery draws a query whose bounds are whole quarters of an hour, or days in UTC.
func someQuery(t *rapid.T) usage.Query {
	q := usage.Query{
		GroupBy:  rapid.SampledFrom(append(usage.Groupings(), "")).Draw(t, "group by"),
		Zone:     location(rapid.SampledFrom(zones).Draw(t, "zone")),
		Provider: rapid.SampledFrom([]string{"", "", "openai", "another"}).Draw(t, "of provider"),
		Model:    rapid.SampledFrom([]string{"", "", "large"}).Draw(t, "of model"),
		CallType: rapid.SampledFrom([]string{"", "", "chat"}).Draw(t, "of call type"),
	}
	unit := rapid.SampledFrom([]time.Duration{usage.Quarter, 24 * time.Hour}).Draw(t, "unit")
	bound := func(name string) time.Time {
		if !rapid.Bool().Draw(t, name+" is given") {
			return time.Time{}
		}
		quarters := rapid.IntRange(-200, 200).Draw(t, name)
		around := rapid.SampledFrom(aroundChanges).Draw(t, name+" around")
		return around.Add(time.Duration(quarters) * usage.Quarter).Truncate(unit)
	}
	q.Since, q.Until = bound("since"), bound("until")
	return q
}

// naive reports by adding up one record after the other.
func naive(records []usage.Record, q *usage.Query) usage.Report {
	var report usage.Report
	lines := map[string]*usage.Totals{}
	for i := range records {
		r := &records[i]
		if !selects(q, r) {
			continue
		}
		totals := usage.TotalsOf(r)
		report.Add(&totals)
		for _, key := range groupsOf(q, r) {
			if lines[key] == nil {
				lines[key] = &usage.Totals{}
			}
			lines[key].Add(&totals)
		}
	}
	if report.Calls == 0 {
		report.Cost = new(usage.Money)
	}
	for key, totals := range lines {
		report.Lines = append(report.Lines, usage.Line{Key: key, Totals: *totals})
	}
	usage.SortLines(report.Lines)
	return report
}

func selects(q *usage.Query, r *usage.Record) bool {
	for _, pair := range [][2]string{{q.Provider, r.Provider}, {q.Model, r.Model}, {q.CallType, r.CallType}} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return (q.Since.IsZero() || !r.At.Before(q.Since)) && (q.Until.IsZero() || r.At.Before(q.Until))
}

// groupsOf is apart from the code that it tests: it formats the local time of the call itself.
func groupsOf(q *usage.Query, r *usage.Record) []string {
	at := r.At.In(q.Zone)
	year, week := at.ISOWeek()
	if q.GroupBy == usage.ByTag {
		return r.Tags
	}
	key, grouped := map[usage.Grouping]string{
		usage.ByProvider: r.Provider, usage.ByModel: r.Provider + " / " + r.Model, usage.ByCallType: r.CallType,
		usage.ByJob: r.Job, usage.ByKey: r.Reporter.Key, usage.ByOwner: r.Reporter.Subject,
		usage.ByNamespace: r.Reporter.Namespace, usage.ByStatus: r.Status,
		usage.ByHour:  at.Format("2006-01-02T15") + ":00" + at.Format("-07:00"),
		usage.ByDay:   at.Format("2006-01-02"),
		usage.ByWeek:  fmt.Sprintf("%d-W%02d", year, week),
		usage.ByMonth: at.Format("2006-01"),
	}[q.GroupBy]
	if !grouped {
		return nil
	}
	return []string{key}
}
