package usage

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseSpan_DaysOfATimeZone(t *testing.T) {
	for _, c := range []struct{ zone, day, since, until string }{
		{"", "2030-01-31", "2030-01-31T00:00:00Z", "2030-02-01T00:00:00Z"},
		{"Europe/Berlin", "2030-03-31", "2030-03-30T23:00:00Z", "2030-03-31T22:00:00Z"},
		{"Europe/Berlin", "2030-10-27", "2030-10-26T22:00:00Z", "2030-10-27T23:00:00Z"},
		{"Asia/Kathmandu", "2030-01-01", "2029-12-31T18:15:00Z", "2030-01-01T18:15:00Z"},
		// The clock goes from 23:59 to 1:00.
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		// The clock goes back from 1:00 to midnight.
		{"America/Havana", "2029-11-04", "2029-11-04T04:00:00Z", "2029-11-05T05:00:00Z"},
		// The day was left out.
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"},
	} {
		zone, err := ParseZone(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		since, err := ParseStart(c.day, zone)
		if err != nil || since.Format(time.RFC3339) != c.since {
			t.Errorf("%s %s begins %s, %v", c.zone, c.day, since, err)
		}
		until, err := ParseEnd(c.day, zone)
		if err != nil || until.Format(time.RFC3339) != c.until {
			t.Errorf("%s %s ends %s, %v", c.zone, c.day, until, err)
		}
	}
}

// Every quarter of an hour is in exactly one day.
func TestParseSpan_DaysMeet(t *testing.T) {
	zones := []string{"", "Europe/London", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Chatham", "Africa/Monrovia"}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := ParseZone(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		day := time.Unix(0, 0).AddDate(0, 0, rapid.IntRange(0, 30_000).Draw(t, "days")).UTC()
		until, _ := ParseEnd(day.Format(time.DateOnly), zone)
		next, _ := ParseStart(day.AddDate(0, 0, 1).Format(time.DateOnly), zone)
		if !until.Equal(next) {
			t.Fatalf("%s ends %s, and the next day begins %s", day, until, next)
		}
		for at, want := range map[time.Time]time.Time{until: day.AddDate(0, 0, 1), until.Add(-1): day} {
			// A quarter counts to the day in which it begins.
			if got := at.Truncate(15 * time.Minute).In(zone).Format(time.DateOnly); got != want.Format(time.DateOnly) {
				t.Fatalf("%s is in %s, want %s", at, got, want)
			}
		}
	})
}

func TestParseSpan_Instants(t *testing.T) {
	zone, err := ParseZone("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, parse := range []func(string, *time.Location) (time.Time, error){ParseStart, ParseEnd} {
		got, err := parse("2030-01-31T12:00:00+01:00", zone)
		if err != nil || got.Format(time.RFC3339) != "2030-01-31T11:00:00Z" {
			t.Errorf("%s, %v", got, err)
		}
		if got, err := parse("", zone); !got.IsZero() || err != nil {
			t.Errorf("%s, %v", got, err)
		}
		for _, bad := range []string{
			" ", "yesterday", "2030-02-30", "2030-1-1", "2030-01-31T12:00:00", "2030-01-31T25:00:00Z", "10000-01-01", "1e9",
		} {
			if got, err := parse(bad, zone); err == nil {
				t.Errorf("%q: %s", bad, got)
			}
		}
	}
}

func TestParseZone_RefusesWhatIsNone(t *testing.T) {
	for _, name := range []string{
		"Local", "LOCAL", "Mars/Olympus", "../../etc/passwd", "/etc/localtime", "UTC+1", " ", "\x00",
	} {
		if zone, err := ParseZone(name); err == nil {
			t.Errorf("%q: %s", name, zone)
		}
	}
}

func TestRounded_CoversTheSpan(t *testing.T) {
	at := func(clock string) time.Time {
		parsed, err := time.Parse(time.RFC3339Nano, "2030-01-01T"+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	q := Query{Since: at("12:14:59"), Until: at("13:00:00.000001")}
	if r := q.Rounded(); !r.Since.Equal(at("12:00:00")) || !r.Until.Equal(at("13:15:00")) {
		t.Errorf("%+v", r)
	}
	q = Query{Since: at("12:15:00"), Until: at("13:00:00")}
	if r := q.Rounded(); !r.Since.Equal(q.Since) || !r.Until.Equal(q.Until) {
		t.Errorf("%+v", r)
	}
	q = Query{Since: at("12:14:59"), GroupBy: ByJob}
	if r := q.Rounded(); !r.Since.Equal(q.Since) || !r.Until.IsZero() {
		t.Errorf("%+v", r)
	}
}
