package database_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/usage"
)

// difference describes how two values differ, or is empty.
func difference(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	wanted, _ := json.MarshalIndent(want, "", " ")
	gotten, _ := json.MarshalIndent(got, "", " ")
	return fmt.Sprintf("want %s\ngot %s", wanted, gotten)
}

// record returns a record of a cent.
func record(id string, change ...func(*usage.Record)) usage.Record {
	cost, took := usage.Dollar/100, int64(250)
	r := usage.Record{
		ID: id, At: noon.Add(-time.Minute), ReceivedAt: noon, Job: "nightly", Provider: "anthropic", Model: "large",
		CallType: "chat", Tokens: usage.Tokens{Input: 1, Output: 2, CacheRead: 3, CacheWrite: 4, Reasoning: 1},
		Cost: &cost, DurationMS: &took, PromptChars: 5, ResponseChars: 6, ServiceTier: "batch", Status: usage.StatusOK,
		Tags:     []string{"a", "b"},
		Reporter: usage.Reporter{KeyUID: "uid-ci", Key: "team/ci", Subject: "Account/ci", Namespace: "team"},
	}
	for _, each := range change {
		each(&r)
	}
	return r
}

func appendUsage(t *testing.T, d *database.DB, want int, records ...usage.Record) {
	t.Helper()
	if got, err := d.Usage().Append(t.Context(), records); len(got) != want || err != nil {
		t.Fatalf("stored %d of %d records, want %d: %v", len(got), len(records), want, err)
	}
}

func reportOf(t *testing.T, d *database.DB, q usage.Query) *usage.Report {
	t.Helper()
	report, err := d.Usage().Report(t.Context(), q)
	must(t, err)
	return report
}

func expectCalls(t *testing.T, d *database.DB, want int64) {
	t.Helper()
	for _, by := range []usage.Grouping{"", usage.ByJob} {
		if got := reportOf(t, d, usage.Query{GroupBy: by}).Calls; got != want {
			t.Errorf("%d calls in a report by %q, want %d", got, by, want)
		}
	}
}

// Reports equal a sum over all records, for any query in any zone.
func TestUsage_ReportEqualsNaiveSum(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		var stored []usage.Record
		rapid.Check(t, func(t *rapid.T) {
			more := someRecords(t, len(stored), rapid.IntRange(0, 40).Draw(t, "records"))
			stored = append(stored, more...)
			if n, err := d.Usage().Append(t.Context(), more); len(n) != len(more) || err != nil {
				t.Fatal(len(n), err)
			}
			for range 3 {
				q := someQuery(t)
				got, err := d.Usage().Report(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if diff := difference(naive(stored, &q), *got); diff != "" {
					t.Fatalf("by %q in %s: %s", q.GroupBy, q.Zone, diff)
				}
			}
		})
	})
}

// The days of a zone add up to their range, through changes of the clock too.
func TestUsage_DaysAddUpToTheirRange(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		stored := 0
		rapid.Check(t, func(t *rapid.T) {
			more := someRecords(t, stored, rapid.IntRange(1, 30).Draw(t, "records"))
			stored += len(more)
			if _, err := d.Usage().Append(t.Context(), more); err != nil {
				t.Fatal(err)
			}
			zone := location(rapid.SampledFrom(zones).Draw(t, "zone"))
			year, month, day := more[0].At.In(zone).Date()
			day -= rapid.IntRange(0, 3).Draw(t, "before")
			days := rapid.IntRange(1, 6).Draw(t, "days")
			start := func(n int) time.Time { return time.Date(year, month, day+n, 0, 0, 0, 0, zone) }
			all, err := d.Usage().Report(t.Context(), usage.Query{
				Since: start(0), Until: start(days), GroupBy: usage.ByDay, Zone: zone,
			})
			if err != nil {
				t.Fatal(err)
			}
			sum := usage.Report{Totals: usage.Totals{Cost: new(usage.Money)}}
			for n := range days {
				one, err := d.Usage().Report(t.Context(), usage.Query{Since: start(n), Until: start(n + 1), Zone: zone})
				if err != nil {
					t.Fatal(err)
				}
				if one.Calls > 0 {
					sum.Add(&one.Totals)
					sum.Lines = append(sum.Lines, usage.Line{Key: start(n).Format(time.DateOnly), Totals: one.Totals})
				}
			}
			if sum.Calls > 0 && sum.Unpriced == sum.Calls {
				sum.Cost = nil
			}
			usage.SortLines(sum.Lines)
			if diff := difference(sum, *all); diff != "" {
				t.Fatal(diff)
			}
		})
	})
}

// Sums end at the largest integer, instead of failing or beginning again.
func TestUsage_SumsEndAtTheirLimit(t *testing.T) {
	huge := func(model string) func(*usage.Record) {
		return func(r *usage.Record) {
			cost, took := usage.Money(usage.MaxSum/2+1), int64(usage.MaxSum)
			r.Model, r.Cost, r.DurationMS, r.Price = model, &cost, &took, "old"
		}
	}
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, 3, record("a", huge("large")), record("b", huge("small")), record("c", huge("small")))
		appendUsage(t, d, 2, record("d", huge("small")), record("e"))
		for _, by := range append(usage.Groupings(), "") {
			report := reportOf(t, d, usage.Query{GroupBy: by})
			if report.Calls != 5 || *report.Cost != usage.MaxSum || report.DurationMS != usage.MaxSum || report.Input != 5 {
				t.Errorf("by %q: %+v", by, report)
			}
		}
		models := reportOf(t, d, usage.Query{GroupBy: usage.ByModel}).Lines
		if *models[0].Cost != usage.MaxSum || *models[1].Cost != usage.MaxSum/2+1+usage.Dollar/100 {
			t.Errorf("%+v", models)
		}
		top, err := d.Usage().TopJobs(t.Context(), noon.Add(-time.Hour), 2)
		if err != nil || len(top) != 1 || *top[0].Cost != usage.MaxSum || top[0].Calls != 5 {
			t.Errorf("%+v, %v", top, err)
		}
		_, err = d.Usage().Reprice(t.Context(), time.Time{}, false, dearer)
		must(t, err, d.Err())
		if got := reportOf(t, d, usage.Query{}); *got.Cost != usage.MaxSum || got.Calls != 5 {
			t.Errorf("%+v", got)
		}
	})
}

// The longest names, and those that a database cannot store as they are, are stored.
func TestUsage_StoresAnyName(t *testing.T) {
	for what, name := range map[string]string{
		"long": strings.Repeat("☃", usage.MaxText/3), "NUL": "a\x00b", "invalid": "a\xffb", "quotes": `'"\$1`, "empty": "",
	} {
		t.Run(what, func(t *testing.T) {
			onBoth(t, func(t *testing.T, d *database.DB) {
				r := usage.Record{
					ID: name, At: noon, ReceivedAt: noon, Job: name, Provider: name, Model: name, CallType: name, Price: name,
					ServiceTier: name, Status: name, Tags: []string{name},
					Reporter: usage.Reporter{
						KeyUID: name, Key: name, Subject: name, Namespace: name, Roles: slices.Repeat([]string{name}, 8),
					},
				}
				appendUsage(t, d, 1, r)
				appendUsage(t, d, 1, record("another"))
				for _, by := range usage.Groupings() {
					got := reportOf(t, d, usage.Query{GroupBy: by, Provider: name, Model: name, CallType: name})
					if want := map[bool]int64{true: 2, false: 1}[name == ""]; got.Calls != want || len(got.Lines) == 0 {
						t.Errorf("by %s: %+v", by, got)
					}
				}
				job, err := d.Usage().Job(t.Context(), name, 10)
				if err != nil || name != "" && (len(job) != 1 || job[0].Model != job[0].ID || job[0].Tags[0] != job[0].ID) {
					t.Errorf("%+v, %v", job, err)
				}
				must(t, d.Err())
			})
		})
	}
}

func TestUsage_AppendIsIdempotent(t *testing.T) {
	other := func(r *usage.Record) { r.Model, r.At = "small", r.At.Add(time.Hour) }
	bob := func(r *usage.Record) { r.Reporter.Subject = "User/bob" }
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, 0)
		appendUsage(t, d, 2, record("a"), record("b"), record("a"), record("b", other))
		appendUsage(t, d, 0, record("b"), record("a", other))
		appendUsage(t, d, 1, record("c"), record("a"))
		appendUsage(t, d, 1, record("a", bob))
		expectCalls(t, d, 4)
		want := naive([]usage.Record{record("a"), record("b"), record("c"), record("d", bob)},
			&usage.Query{GroupBy: usage.ByTag, Zone: time.UTC})
		if diff := difference(want, *reportOf(t, d, usage.Query{GroupBy: usage.ByTag})); diff != "" {
			t.Error(diff)
		}
	})
}

func TestUsage_KeepsRecordsAsTheyAre(t *testing.T) {
	bare := usage.Record{ID: "bare", At: noon.Add(-time.Hour), ReceivedAt: noon, Job: "nightly"}
	onBoth(t, func(t *testing.T, d *database.DB) {
		want := []usage.Record{bare, record("a"), record("b")}
		appendUsage(t, d, 4, record("b"), record("a"), bare, record("other", func(r *usage.Record) { r.Job = "" }))
		job, err := d.Usage().Job(t.Context(), "nightly", 10)
		must(t, err)
		// Those of the same instant are in any order.
		slices.SortFunc(job[1:], func(a, b usage.Record) int { return int(a.ID[0]) - int(b.ID[0]) })
		if diff := difference(want, job); diff != "" {
			t.Error(diff)
		}
		if job, err := d.Usage().Job(t.Context(), "nightly", 1); err != nil || len(job) != 1 || job[0].ID != "bare" {
			t.Error(job, err)
		}
		for _, name := range []string{"", "another", "' OR 1=1 --", "a\x00\xff"} {
			if job, err := d.Usage().Job(t.Context(), name, 10); err != nil || len(job) != 0 {
				t.Errorf("%q: %v, %v", name, job, err)
			}
		}
	})
}

func TestUsage_OldestIsByReceipt(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database.DB) {
		oldest, err := d.Usage().Oldest(t.Context())
		if !oldest.IsZero() || err != nil {
			t.Errorf("without a record: %s, %v", oldest, err)
		}
		appendUsage(t, d, 2, record("late", func(r *usage.Record) { r.ReceivedAt = noon.Add(time.Hour) }),
			record("early", func(r *usage.Record) { r.At = noon.Add(time.Hour) }))
		if oldest, err = d.Usage().Oldest(t.Context()); !oldest.Equal(noon) || err != nil {
			t.Errorf("%s, %v", oldest, err)
		}
	})
}

func TestUsage_EachPagesInOrder(t *testing.T) {
	const many = 1203
	var records []usage.Record
	for i := range many {
		// Some are of the same instant.
		records = append(records, record(fmt.Sprint(i), func(r *usage.Record) {
			r.At = noon.Add(time.Duration(i*7%many/3) * time.Minute)
			r.Model = []string{"large", "small"}[i%2]
		}))
	}
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, many, records...)
		for _, q := range []usage.Query{
			{}, {Model: "small"}, {Since: noon.Add(20 * time.Minute), Until: noon.Add(400 * time.Minute)}, {Model: "none"},
		} {
			var got []time.Time
			seen := map[string]bool{}
			must(t, d.Usage().Each(t.Context(), q, func(r *usage.Record) error {
				got, seen[r.ID] = append(got, r.At), true
				return nil
			}))
			want := naive(records, &usage.Query{Since: q.Since, Until: q.Until, Model: q.Model, Zone: time.UTC}).Calls
			if int64(len(got)) != want || len(seen) != len(got) || !slices.IsSortedFunc(got, time.Time.Compare) {
				t.Errorf("%+v: %d records, want %d", q, len(got), want)
			}
		}
		enough := errors.New("enough")
		calls := 0
		if err := d.Usage().Each(t.Context(), usage.Query{}, func(*usage.Record) error {
			calls++
			return enough
		}); !errors.Is(err, enough) || calls != 1 {
			t.Error(calls, err)
		}
	})
}

func TestUsage_TopJobs(t *testing.T) {
	job := func(name string, cost *usage.Money, at time.Time) usage.Record {
		return record(name+at.String(), func(r *usage.Record) { r.Job, r.Cost, r.At = name, cost, at })
	}
	cents := func(n usage.Money) *usage.Money { n *= usage.Dollar / 100; return &n }
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, 7, job("cheap", cents(1), noon), job("dear", cents(300), noon), job("twice", cents(200), noon),
			job("twice", cents(200), noon.Add(-10*24*time.Hour)), job("old", cents(900), noon.Add(-31*24*time.Hour)),
			job("unknown", nil, noon), job("", cents(5000), noon))
		top, err := d.Usage().TopJobs(t.Context(), noon.Add(-30*24*time.Hour), 4)
		must(t, err)
		var got []string
		for _, line := range top {
			got = append(got, line.Key)
		}
		if want := []string{"twice", "dear", "cheap", "unknown"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		if top[3].Cost != nil || *top[0].Cost != *cents(400) || top[0].Calls != 2 {
			t.Errorf("%+v", top)
		}
	})
}

func TestUsage_CountersOfKeysAndRoles(t *testing.T) {
	of := func(uid string, roles ...string) func(*usage.Record) {
		return func(r *usage.Record) { r.Reporter.KeyUID, r.Reporter.Roles, r.At = uid, roles, noon }
	}
	later := func(r *usage.Record) { r.At = noon.Add(time.Hour) }
	unpriced := func(r *usage.Record) { r.Cost = nil }
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, 2, record("a", of("one", "dev", "dev")), record("b", of("one", "dev", "ops"), later))
		appendUsage(t, d, 2, record("a", of("one", "dev")), record("c", of("two", "ops"), unpriced),
			record("d", of("", "ops")))
		cent := usage.Dollar / 100
		for id, want := range map[usage.CounterID]usage.Counter{
			{KeyUID: "one", Period: usage.Hour}:  {Tokens: 10, Cost: cent},
			{KeyUID: "one", Period: usage.Day}:   {Tokens: 20, Cost: 2 * cent},
			{KeyUID: "one", Period: usage.Month}: {Tokens: 20, Cost: 2 * cent},
			{KeyUID: "two", Period: usage.Day}:   {Tokens: 10},
			{Role: "dev", Period: usage.Day}:     {Tokens: 20, Cost: 2 * cent},
			{Role: "ops", Period: usage.Day}:     {Tokens: 30, Cost: 2 * cent},
			{Role: "ops", Period: usage.Hour}:    {Tokens: 20, Cost: cent},
		} {
			id.Start = id.Period.StartOf(noon)
			want.CounterID = id
			got, err := d.Usage().Counters(t.Context(), []usage.CounterID{id})
			if err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("%+v: %+v, %v", want, got, err)
			}
		}
		absent := []usage.CounterID{
			{Period: usage.Day, Start: usage.Day.StartOf(noon)},
			{KeyUID: "dev", Period: usage.Day, Start: usage.Day.StartOf(noon)},
			{KeyUID: "one", Period: usage.Day, Start: noon}, {KeyUID: "one", Role: "dev", Period: usage.Day},
		}
		if got, err := d.Usage().Counters(t.Context(), absent); err != nil || len(got) != 0 {
			t.Error(got, err)
		}
	})
}

// A series is removed when nothing of it is left.
func TestUsage_RemovesUnusedSeries(t *testing.T) {
	names := func(d *database.DB) []string {
		all, err := d.Names(t.Context(), "SELECT model FROM usage_series ORDER BY model DESC")
		must(t, err)
		return all
	}
	use := func(model string, days int) usage.Record {
		return record(fmt.Sprint(model, days), func(r *usage.Record) {
			r.Model, r.ReceivedAt = model, noon.Add(time.Duration(days)*24*time.Hour)
			r.At = r.ReceivedAt
		})
	}
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			d := openWithLimits(t, empty(t))
			appendUsage(t, d, 2, use("old", 0), use("kept", 0))
			appendUsage(t, d, 1, use("kept", 8))
			must(t, d.Purge(t.Context(), noon.Add(2*24*time.Hour)))
			if got := names(d); !slices.Equal(got, []string{"old", "kept"}) {
				t.Errorf("%q", got)
			}
			must(t, d.Purge(t.Context(), noon.Add(9*24*time.Hour)))
			if got := names(d); !slices.Equal(got, []string{"kept"}) {
				t.Errorf("%q", got)
			}
			if got := reportOf(t, d, usage.Query{}).Calls; got != 1 {
				t.Error(got)
			}
			must(t, d.Purge(t.Context(), noon.Add(20*24*time.Hour)))
			if got := names(d); len(got) != 0 {
				t.Errorf("%q", got)
			}
		})
	}
}
