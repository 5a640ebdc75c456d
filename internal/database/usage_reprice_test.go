package database_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/usage"
)

// dearer is a price list: some costs change, some become known, some unknown, and some stay.
func dearer(r *usage.Record) {
	r.Cost, r.Price = nil, ""
	switch r.Tokens.Output % 4 {
	case 0:
		cost := usage.Money(r.Tokens.Output) * usage.Dollar / 3
		r.Cost, r.Price = &cost, "new"
	case 1:
		cost := usage.Dollar / 100
		r.Cost, r.Price = &cost, "old"
	case 2:
		cost := usage.Money(1)
		r.Cost, r.Price = &cost, "new"
	}
}

// priced returns records whose cost was computed, given, or is unknown.
func priced(n int) (all []usage.Record) {
	for i := range n {
		all = append(all, record(fmt.Sprint(i), func(r *usage.Record) {
			r.At = noon.Add(time.Duration(i) * time.Minute)
			r.Output, r.Model, r.Job = int64(i), []string{"large", "small"}[i%2], fmt.Sprint("job-", i%3)
			r.Reporter.Roles = [][]string{{"dev"}, {"dev", "ops"}}[i%2]
			switch i % 5 {
			case 0:
				r.Cost = nil
			case 1, 2, 3:
				r.Price = "old"
			}
		}))
	}
	return all
}

// repricedAs returns the records as Reprice should leave them, and what it should return.
func repricedAs(
	records []usage.Record, since time.Time, cost func(*usage.Record),
) (after []usage.Record, r usage.Repriced) {
	for _, one := range records {
		if one.At.Before(since) || one.Price == "" && one.Cost != nil {
			after = append(after, one)
			continue
		}
		r.Records++
		before := one
		cost(&one)
		if difference(before.Cost, one.Cost) != "" || before.Price != one.Price {
			r.Changed++
		}
		for sum, of := range map[*usage.Money]*usage.Money{&r.Before: before.Cost, &r.After: one.Cost} {
			if of != nil {
				*sum += *of
			}
		}
		after = append(after, one)
	}
	return after, r
}

// expectUsage expects records, reports, top jobs and counters to agree with the records.
func expectUsage(t *testing.T, d *database.DB, records []usage.Record) {
	t.Helper()
	for _, by := range append(usage.Groupings(), "") {
		// The first is read from the sums of days, the other from those of quarters.
		for _, since := range []time.Time{{}, time.Unix(0, 0).Add(usage.Quarter)} {
			q := usage.Query{Since: since, GroupBy: by, Zone: time.UTC}
			if diff := difference(naive(records, &q), *reportOf(t, d, q)); diff != "" {
				t.Errorf("by %q since %s: %s", by, since, diff)
			}
		}
	}
	top, err := d.Usage().TopJobs(t.Context(), time.Time{}, len(records))
	must(t, err)
	if diff := difference(naive(records, &usage.Query{GroupBy: usage.ByJob, Zone: time.UTC}).Lines, top); diff != "" {
		t.Errorf("top jobs: %s", diff)
	}
	want := counted(records)
	for id, counter := range want {
		got, err := d.Usage().Counters(t.Context(), []usage.CounterID{id})
		if err != nil || len(got) != 1 || got[0] != *counter {
			t.Errorf("%+v: %+v, %v", *counter, got, err)
		}
	}
}

// counted returns the counters of records.
func counted(records []usage.Record) map[usage.CounterID]*usage.Counter {
	all := map[usage.CounterID]*usage.Counter{}
	for i := range records {
		r := &records[i]
		holders := []usage.CounterID{{KeyUID: r.Reporter.KeyUID}}
		for _, role := range r.Reporter.Roles {
			holders = append(holders, usage.CounterID{Role: role})
		}
		for _, id := range holders {
			for _, id.Period = range usage.Periods() {
				id.Start = id.Period.StartOf(r.At)
				if all[id] == nil {
					all[id] = &usage.Counter{CounterID: id}
				}
				all[id].Tokens += r.Input + r.Output + r.CacheRead + r.CacheWrite
				if r.Cost != nil {
					all[id].Cost += *r.Cost
				}
			}
		}
	}
	return all
}

func TestUsage_Reprice(t *testing.T) {
	records := priced(1300)
	since := records[200].At
	after, want := repricedAs(records, since, dearer)
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, len(records), records...)
		expectUsage(t, d, records)
		for _, dryRun := range []bool{true, false} {
			got, err := d.Usage().Reprice(t.Context(), since, dryRun, dearer)
			if err != nil || got != want {
				t.Errorf("dry run %t: %+v, want %+v: %v", dryRun, got, want, err)
			}
			expectUsage(t, d, map[bool][]usage.Record{true: records, false: after}[dryRun])
		}
		again, err := d.Usage().Reprice(t.Context(), since, false, dearer)
		if err != nil || again.Changed != 0 || again.Before != again.After || again.Records != want.Records {
			t.Errorf("again: %+v, %v", again, err)
		}
		expectUsage(t, d, after)
	})
}

// Whenever it is interrupted, reports agree with the records, and the next call continues.
func TestUsage_RepriceIsResumable(t *testing.T) {
	records := priced(1300)
	after, want := repricedAs(records, time.Time{}, dearer)
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, len(records), records...)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		got, err := d.Usage().Reprice(ctx, time.Time{}, false, func(r *usage.Record) {
			n++
			if n == 700 {
				cancel()
			}
			dearer(r)
		})
		if !errors.Is(err, context.Canceled) || got.Records != 500 {
			t.Errorf("%+v, %v", got, err)
		}
		done := 0
		half, _ := repricedAs(records, time.Time{}, func(r *usage.Record) {
			done++
			if done <= 500 {
				dearer(r)
			}
		})
		expectUsage(t, d, half)
		if got, err := d.Usage().Reprice(t.Context(), time.Time{}, false, dearer); err != nil || got.After != want.After {
			t.Errorf("%+v, want %+v: %v", got, want, err)
		}
		expectUsage(t, d, after)
	})
}

// Two calls at once change each record once.
func TestUsage_RepriceAtOnce(t *testing.T) {
	records := priced(1300)
	after, _ := repricedAs(records, time.Time{}, dearer)
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			url := empty(t)
			one := openPatiently(t, url)
			other := one
			if name == "PostgreSQL" {
				other = openPatiently(t, url)
			}
			appendUsage(t, one, len(records), records...)
			errs := make(chan error, 3)
			for _, d := range []*database.DB{one, other} {
				go func() {
					_, err := d.Usage().Reprice(t.Context(), time.Time{}, false, dearer)
					errs <- err
				}()
			}
			more := priced(1600)[1300:]
			go func() {
				_, err := one.Usage().Append(t.Context(), more)
				errs <- err
			}()
			must(t, <-errs, <-errs, <-errs)
			_, err := one.Usage().Reprice(t.Context(), time.Time{}, false, dearer)
			must(t, err)
			more, _ = repricedAs(more, time.Time{}, dearer)
			expectUsage(t, one, append(after[:len(after):len(after)], more...))
		})
	}
}
