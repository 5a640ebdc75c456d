package usage

import (
	"fmt"
	"time"
)

// Quarter is the time of one roll-up: the longest that begins and ends at the full hours of every time zone of today.
const Quarter = 15 * time.Minute

// QuarterOf returns when the quarter of an hour that contains at began.
func QuarterOf(at time.Time) time.Time { return at.UTC().Truncate(Quarter) }

// IsTime reports whether the groups are spans of time.
func (g Grouping) IsTime() bool {
	switch g {
	case ByHour, ByDay, ByWeek, ByMonth:
		return true
	default:
		return false
	}
}

// KeyAt returns the key of the group that contains an instant, in a time zone: 2030-01-31T13:00+01:00, 2030-01-31,
// 2030-W05 (of ISO 8601) or 2030-01. An hour that a clock shows twice is two groups. Nil is UTC. The grouping must be
// one by time.
func (g Grouping) KeyAt(at time.Time, zone *time.Location) string {
	if zone == nil {
		zone = time.UTC
	}
	at = at.In(zone)
	switch g {
	case ByHour:
		return at.Format("2006-01-02T15:00-07:00")
	case ByDay:
		return at.Format(time.DateOnly)
	case ByWeek:
		year, week := at.ISOWeek()
		return fmt.Sprintf("%04d-W%02d", year, week)
	default:
		return at.Format("2006-01")
	}
}
