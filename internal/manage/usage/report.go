package usage

import (
	"time"

	"keywright.dev/keywright/internal/auth/budget"
)

// Grouping is what a report is broken down by. Empty: totals only.
type Grouping string

// Groupings (docs/compatibility.md, "Token usage").
const (
	ByCallType  Grouping = "call_type"
	ByDay       Grouping = "day"
	ByHour      Grouping = "hour"
	ByJob       Grouping = "job"
	ByKey       Grouping = "key"
	ByModel     Grouping = "model"
	ByMonth     Grouping = "month"
	ByNamespace Grouping = "namespace"
	ByOwner     Grouping = "owner"
	ByProvider  Grouping = "provider"
	ByStatus    Grouping = "status"
	ByTag       Grouping = "tag"
	ByWeek      Grouping = "week"
)

// Groupings lists every grouping in alphabetical order.
func Groupings() []Grouping {
	return []Grouping{
		ByCallType, ByDay, ByHour, ByJob, ByKey, ByModel, ByMonth, ByNamespace, ByOwner, ByProvider, ByStatus, ByTag, ByWeek,
	}
}

// Query selects records. Empty fields match everything, others match exactly.
type Query struct {
	// Since is inclusive, Until exclusive, both in whole quarters of an hour, except with ByJob. Zero: no bound.
	Since, Until              time.Time
	Provider, Model, CallType string
	GroupBy                   Grouping
	// Zone is the time zone of days, weeks and months. Nil: UTC.
	Zone *time.Location
}

// Totals are sums over calls.
type Totals struct {
	Tokens
	// Cost is the sum of the known costs, and nil if there are calls and none has a known cost.
	Cost *Money
	// Unpriced are the calls without a known cost.
	Calls, Unpriced int64
	// DurationMS is the sum over the Timed calls: those with a known duration.
	DurationMS, Timed int64
}

// Line is the usage of one group.
type Line struct {
	// Key names the group: <provider> / <model>, 2030-01-31, 2030-W05, 2030-01, 2030-01-31T13:00+01:00,
	// <namespace>/<name>, …
	Key string
	Totals
}

// Report is the answer to a Query.
type Report struct {
	Totals
	// Lines are sorted by cost, the highest first, unknown costs last, then by key. A record with several tags counts
	// in each of their lines.
	Lines []Line
}

// Budget counters.
type (
	// Period is a budget's: it begins at a full hour, day or month in UTC.
	Period = budget.Period

	// CounterID identifies the counter of a key or a role in a period.
	CounterID struct {
		// KeyUID or Role is set.
		KeyUID, Role string
		Period       Period
		// Start is when the period began.
		Start time.Time
	}

	// Counter is what was used in a period. Tokens is the sum of all four disjoint counts.
	Counter struct {
		CounterID
		Tokens int64
		Cost   Money
	}
)

// Periods of budgets.
const (
	Hour  = budget.Hour
	Day   = budget.Day
	Month = budget.Month
)

// Periods lists every period.
func Periods() []Period { return budget.Periods() }
