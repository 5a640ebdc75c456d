package usage

import (
	"errors"
	"strings"
	"time"
	_ "time/tzdata" // images have no files of time zones
)

// maxZone is longer than the name of every time zone.
const maxZone = 64

// Errors of a span of time, each the end of a sentence that begins with the name of the value.
var (
	errZone = errors.New("must be a time zone such as Europe/Berlin")
	errDate = errors.New("must be a day such as 2030-01-31 or a time such as 2030-01-31T12:00:00Z")
)

// ParseZone returns a time zone by its name in the IANA database. An empty name is UTC.
func ParseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || len(name) > maxZone || strings.EqualFold(name, "local") {
		return nil, errZone
	}
	return zone, nil
}

// ParseStart returns the first instant of a span that begins with a day in a time zone, or at an instant. An empty text
// means no bound.
func ParseStart(text string, zone *time.Location) (time.Time, error) {
	return parseBound(text, zone, 0)
}

// ParseEnd returns the first instant after a span that ends with a day in a time zone, or at an instant. An empty text
// means no bound.
func ParseEnd(text string, zone *time.Location) (time.Time, error) { return parseBound(text, zone, 1) }

func parseBound(text string, zone *time.Location, days int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return startOfDay(day.AddDate(0, 0, days), zone), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errDate
	}
	return at.UTC(), nil
}

// farthest is more than any time zone was ever ahead of UTC.
const farthest = 16 * time.Hour

// startOfDay returns the first quarter of an hour that Grouping.KeyAt counts to a day or a later one: some days have no
// midnight, some have two, and some are left out. day is its midnight in UTC.
func startOfDay(day time.Time, zone *time.Location) time.Time {
	at := day.Add(-farthest)
	for {
		year, month, d := at.In(zone).Date()
		if !time.Date(year, month, d, 0, 0, 0, 0, time.UTC).Before(day) {
			return at
		}
		at = at.Add(Quarter)
	}
}

// Rounded returns the query with bounds in whole quarters of an hour, as reports count: the beginning is moved back,
// the end forward.
func (q *Query) Rounded() Query {
	rounded := *q
	if q.GroupBy == ByJob {
		return rounded
	}
	rounded.Since = q.Since.Truncate(Quarter)
	if end := q.Until.Truncate(Quarter); end.Before(q.Until) {
		rounded.Until = end.Add(Quarter)
	}
	return rounded
}
