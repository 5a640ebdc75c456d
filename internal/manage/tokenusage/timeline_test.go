package tokenusage

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/manage/usage"
)

func TestSpanFor(t *testing.T) {
	now := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	for days, want := range map[int]usage.Grouping{
		1: usage.ByHour, 3: usage.ByHour, 4: usage.ByDay, 100: usage.ByDay, 101: usage.ByWeek, 800: usage.ByWeek,
		801: usage.ByMonth,
	} {
		since := now.AddDate(0, 0, -days)
		for _, until := range []time.Time{{}, now, now.AddDate(100, 0, 0)} {
			if got := spanFor(since, until, now); got != want {
				t.Errorf("%d days: %s, want %s", days, got, want)
			}
		}
	}
	if got := spanFor(time.Time{}, now, now); got != usage.ByMonth {
		t.Error(got)
	}
}

// Labels have no gaps, and every group with calls, through changes of the clock too.
func TestLabels_HaveEveryGroupInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom([]string{
			"UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/New_York",
		}).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		since := time.Date(2011, 12, rapid.IntRange(20, 31).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		if rapid.Bool().Draw(t, "clocks change") {
			since = since.AddDate(0, 3, 0)
		}
		until := since.Add(time.Duration(rapid.IntRange(1, 60*24).Draw(t, "hours")) * time.Hour)
		q := usage.Query{Since: since, Until: until, Zone: zone, GroupBy: spanFor(since, until, until)}
		all := labels(&q, nil, until)
		last := -1
		for at := since; at.Before(until); at = at.Add(usage.Quarter) {
			n := slices.Index(all, q.GroupBy.KeyAt(at, zone))
			// A clock that is half an hour behind shows an hour of two groups.
			if n < 0 && q.GroupBy != usage.ByHour || n >= 0 && n < last {
				t.Fatalf("%s is label %d of %v", at, n, all)
			}
			last = max(last, n)
		}
		if len(all) > 200 {
			t.Fatalf("%d labels", len(all))
		}
	})
}

func TestLabels_WithoutABeginning(t *testing.T) {
	now := time.Date(2030, 3, 15, 0, 0, 0, 0, time.UTC)
	q := usage.Query{GroupBy: usage.ByMonth}
	if got := labels(&q, nil, now); len(got) > 0 {
		t.Error(got)
	}
	got := labels(&q, []usage.Line{{Key: "2030-01"}, {Key: "2029-12"}}, now)
	if !slices.Equal(got, []string{"2029-12", "2030-01", "2030-02", "2030-03"}) {
		t.Error(got)
	}
	q = usage.Query{GroupBy: usage.ByHour, Since: now}
	if got := labels(&q, []usage.Line{{Key: "2030-03-15T00:00+00:00"}}, now); len(got) != 1 {
		t.Errorf("%q: calls of this instant have no label", got)
	}
	q = usage.Query{GroupBy: usage.ByMonth}
	if got := labels(&q, []usage.Line{{Key: "1970-01"}}, now); len(got) != 723 {
		t.Error(len(got))
	}
}

func TestTimeline_AddRest(t *testing.T) {
	one, half := usage.Dollar, usage.Dollar/2
	line := &Timeline{Labels: []string{"a", "b"}}
	line.add("m", []usage.Line{{Key: "b", Totals: usage.Totals{Calls: 2, Cost: &half, Tokens: usage.Tokens{Input: 5}}}})
	line.add("gone", nil)
	whole := []usage.Line{{Key: "b", Totals: usage.Totals{
		Calls: 3, Cost: &one, Tokens: usage.Tokens{Input: usage.MaxSum},
	}}}
	line.addRest(whole)
	if len(line.Series) != 2 || line.Series[1].Model != "" {
		t.Fatalf("%+v", line.Series)
	}
	rest := line.Series[1].Totals[1]
	if rest.Calls != 1 || *rest.Cost != half || rest.Input != usage.MaxSum-5 || one != usage.Dollar {
		t.Errorf("%+v", rest)
	}
	line = &Timeline{Labels: []string{"b"}}
	line.add("m", whole)
	line.addRest(whole)
	if len(line.Series) != 1 {
		t.Errorf("%+v", line.Series)
	}
}
