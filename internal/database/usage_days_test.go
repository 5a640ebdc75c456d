package database_test

import (
	"fmt"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/internal/manage/usage"
)

// Whole days in UTC are read from their sums, and everything else from quarters of an hour.
func TestUsage_WholeDaysHaveSumsOfTheirOwn(t *testing.T) {
	day := usage.Day.StartOf(noon)
	berlin := location("Europe/Berlin")
	onBoth(t, func(t *testing.T, d *database.DB) {
		appendUsage(t, d, 1, record("a"))
		must(t, d.Do(t.Context(), "DELETE FROM usage_rollups"))
		for name, c := range map[string]struct {
			usage.Query
			calls int64
		}{
			"all":                   {usage.Query{}, 1},
			"a day":                 {usage.Query{Since: day, Until: day.AddDate(0, 0, 1)}, 1},
			"a day of models":       {usage.Query{Since: day, GroupBy: usage.ByModel, Zone: berlin}, 1},
			"days":                  {usage.Query{GroupBy: usage.ByDay}, 1},
			"weeks in UTC":          {usage.Query{GroupBy: usage.ByWeek, Zone: time.UTC}, 1},
			"months in UTC":         {usage.Query{GroupBy: usage.ByMonth, Zone: time.UTC}, 1},
			"days in another zone":  {usage.Query{GroupBy: usage.ByDay, Zone: berlin}, 0},
			"hours":                 {usage.Query{GroupBy: usage.ByHour, Zone: time.UTC}, 0},
			"since within a day":    {usage.Query{Since: day.Add(usage.Quarter)}, 0},
			"until within a day":    {usage.Query{Until: day.Add(-usage.Quarter).AddDate(0, 0, 1)}, 0},
			"a day of another zone": {usage.Query{Since: day.In(berlin).Add(-time.Hour), Zone: berlin}, 0},
		} {
			if got := reportOf(t, d, c.Query).Calls; got != c.calls {
				t.Errorf("%s: %d calls, want %d", name, got, c.calls)
			}
		}
	})
}

// Old sums of days and of quarters of an hour end together, so that their reports agree.
func TestUsage_RemovesOldSumsByWholeDays(t *testing.T) {
	var records []usage.Record
	for i := range 20 {
		records = append(records, record(fmt.Sprint(i), func(r *usage.Record) {
			r.At = noon.Add(time.Duration(i) * 5 * time.Hour)
			r.ReceivedAt = r.At
		}))
	}
	for name, empty := range dialects {
		t.Run(name, func(t *testing.T) {
			d := openWithLimits(t, empty(t))
			appendUsage(t, d, len(records), records...)
			must(t, d.Purge(t.Context(), noon.Add((72+30)*time.Hour)))
			day := usage.Day.StartOf(noon.Add(30 * time.Hour))
			for by, since := range map[usage.Grouping]time.Time{
				usage.ByDay: {}, usage.ByHour: {}, usage.ByTag: {}, usage.ByModel: time.Unix(0, 0).Add(usage.Quarter),
			} {
				q := usage.Query{Since: since, GroupBy: by, Zone: time.UTC}
				kept := q
				kept.Since = day
				if diff := difference(naive(records, &kept), *reportOf(t, d, q)); diff != "" {
					t.Errorf("by %q: %s", by, diff)
				}
			}
			top, err := d.Usage().TopJobs(t.Context(), time.Time{}, 5)
			must(t, err)
			jobs := usage.Query{Since: usage.Day.StartOf(noon.Add(54 * time.Hour)), GroupBy: usage.ByJob, Zone: time.UTC}
			if diff := difference(naive(records, &jobs).Lines, top); diff != "" {
				t.Errorf("top jobs: %s", diff)
			}
		})
	}
}

// The names of a series stay as long as any table of sums, whichever is the last to have some.
func TestUsage_SeriesStaysWithItsLastSums(t *testing.T) {
	tables := []string{"usage_rollups", "usage_days", "usage_tags"}
	for _, last := range tables {
		t.Run(last, func(t *testing.T) {
			onBoth(t, func(t *testing.T, d *database.DB) {
				appendUsage(t, d, 1, record("a", func(r *usage.Record) { r.Tags = []string{"tag"} }))
				for _, table := range append([]string{"usage_records"}, tables...) {
					if table != last {
						must(t, d.Do(t.Context(), "DELETE FROM "+table))
					}
				}
				must(t, d.Purge(t.Context(), noon.AddDate(1, 0, 0)))
				q := map[string]usage.Query{
					"usage_rollups": {GroupBy: usage.ByHour, Zone: time.UTC}, "usage_days": {GroupBy: usage.ByModel},
					"usage_tags": {GroupBy: usage.ByTag},
				}[last]
				if lines := reportOf(t, d, q).Lines; len(lines) != 1 {
					t.Errorf("%d lines, want one", len(lines))
				}
			})
		})
	}
}
