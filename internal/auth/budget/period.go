package budget

import "time"

// Period is how long a budget lasts. It begins at a full hour, day or month in UTC.
type Period string

// Periods of budgets.
const (
	Hour  Period = "Hour"
	Day   Period = "Day"
	Month Period = "Month"
)

// Periods lists every period, the shortest first.
func Periods() []Period { return []Period{Hour, Day, Month} }

// place returns the index of the period in Periods. An unknown period counts as the longest.
func (p Period) place() int {
	switch p {
	case Hour:
		return 0
	case Day:
		return 1
	}
	return 2
}

// StartOf returns when the period that contains at began.
func (p Period) StartOf(at time.Time) time.Time {
	at = at.UTC()
	switch p {
	case Hour:
		return at.Truncate(time.Hour)
	case Day:
		return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	default:
		return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	}
}

// EndOf returns when the period that contains at ends: when the counter begins again at zero.
func (p Period) EndOf(at time.Time) time.Time {
	start := p.StartOf(at)
	switch p {
	case Hour:
		return start.Add(time.Hour)
	case Day:
		return start.AddDate(0, 0, 1)
	default:
		return start.AddDate(0, 1, 0)
	}
}
