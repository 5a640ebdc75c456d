package config

import "time"

var usageBounds = bounds{retention: 90 * 24 * time.Hour, rows: 1_000_000}

// Usage bounds the records of token usage and their roll-ups. The zero value is the default.
type Usage struct {
	// Retention is how long a record stays. Negative: as long as there are no more than MaxRecords.
	Retention  time.Duration `json:"retention,omitempty"`
	MaxRecords int           `json:"maxRecords,omitempty"`
	// RollupRetention is how long roll-ups stay. Zero: for good.
	RollupRetention time.Duration `json:"rollupRetention,omitempty"`
}

// Limits returns the bounds of records that apply. Without a retention the first is 0.
func (u Usage) Limits() (retention time.Duration, maxRecords int) {
	return usageBounds.apply(u.Retention, u.MaxRecords)
}

func parseUsageRetention(s *Settings, value string) string {
	return usageBounds.readRetention(&s.Service.Usage.Retention, value, "as long as USAGE_MAX_RECORDS allows")
}

func parseUsageMaxRecords(s *Settings, value string) string {
	return usageBounds.readRows(&s.Service.Usage.MaxRecords, value)
}

func parseUsageRollupRetention(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	retention, problem := parseRetention(value, "for good")
	if problem == "" {
		s.Service.Usage.RollupRetention = retention
	}
	return problem
}
