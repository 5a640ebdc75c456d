package usage

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestKeyAt(t *testing.T) {
	for _, c := range []struct {
		at, zone               string
		hour, day, week, month string
	}{
		{"2030-01-31T12:05:00Z", "", "2030-01-31T12:00+00:00", "2030-01-31", "2030-W05", "2030-01"},
		{"2030-01-31T23:30:00Z", "Europe/Berlin", "2030-02-01T00:00+01:00", "2030-02-01", "2030-W05", "2030-02"},
		// The first and last days of a year may belong to a week of another.
		{"2027-01-03T12:00:00Z", "UTC", "2027-01-03T12:00+00:00", "2027-01-03", "2026-W53", "2027-01"},
		{"2024-12-30T12:00:00Z", "UTC", "2024-12-30T12:00+00:00", "2024-12-30", "2025-W01", "2024-12"},
		// An hour that is shown twice, and the one after a skipped one.
		{"2026-10-25T00:30:00Z", "Europe/Berlin", "2026-10-25T02:00+02:00", "2026-10-25", "2026-W43", "2026-10"},
		{"2026-10-25T01:30:00Z", "Europe/Berlin", "2026-10-25T02:00+01:00", "2026-10-25", "2026-W43", "2026-10"},
		{"2026-03-29T01:00:00Z", "Europe/Berlin", "2026-03-29T03:00+02:00", "2026-03-29", "2026-W13", "2026-03"},
		// Offsets of :45, :30 and :15 hours; half an hour of daylight saving; a day that was skipped.
		{"2026-06-30T18:14:00Z", "Asia/Kathmandu", "2026-06-30T23:00+05:45", "2026-06-30", "2026-W27", "2026-06"},
		{"2026-06-30T18:15:00Z", "Asia/Kathmandu", "2026-07-01T00:00+05:45", "2026-07-01", "2026-W27", "2026-07"},
		{"2026-06-30T18:30:00Z", "Asia/Kolkata", "2026-07-01T00:00+05:30", "2026-07-01", "2026-W27", "2026-07"},
		{"2026-01-01T15:45:00Z", "Australia/Eucla", "2026-01-02T00:00+08:45", "2026-01-02", "2026-W01", "2026-01"},
		{"2026-01-01T13:00:00Z", "Australia/Lord_Howe", "2026-01-02T00:00+11:00", "2026-01-02", "2026-W01", "2026-01"},
		{"2026-07-01T13:30:00Z", "Australia/Lord_Howe", "2026-07-02T00:00+10:30", "2026-07-02", "2026-W27", "2026-07"},
		{"2011-12-30T10:00:00Z", "Pacific/Apia", "2011-12-31T00:00+14:00", "2011-12-31", "2011-W52", "2011-12"},
		{"1970-01-01T00:00:00Z", "America/St_Johns", "1969-12-31T20:00-03:30", "1969-12-31", "1970-W01", "1969-12"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		var zone *time.Location
		if c.zone != "" {
			if zone, err = time.LoadLocation(c.zone); err != nil {
				t.Fatal(err)
			}
		}
		for grouping, want := range map[Grouping]string{ByHour: c.hour, ByDay: c.day, ByWeek: c.week, ByMonth: c.month} {
			if got := grouping.KeyAt(at, zone); got != want {
				t.Errorf("%s in %s by %s: %s, want %s", c.at, c.zone, grouping, got, want)
			}
		}
	}
}

// Every instant of a quarter of an hour belongs to the same groups as its beginning, in every zone of today.
func TestQuarterOf_IsWithinOneGroup(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Australia/Eucla",
		"Pacific/Chatham", "Pacific/Apia", "Asia/Pyongyang", "America/Caracas",
	}
	from, until := time.Date(1973, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMicro(rapid.Int64Range(from.UnixMicro(), until.UnixMicro()).Draw(t, "at"))
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		quarter := QuarterOf(at)
		if at.Before(quarter) || at.Sub(quarter) >= Quarter || quarter.Minute()%15 != 0 || quarter.Second() != 0 {
			t.Fatal(quarter)
		}
		for _, g := range Groupings() {
			if g.IsTime() && g.KeyAt(at, zone) != g.KeyAt(quarter, zone) {
				t.Fatalf("%s: %s, but its quarter %s", at, g.KeyAt(at, zone), g.KeyAt(quarter, zone))
			}
		}
	})
}
