package config

import (
	"cmp"
	"strconv"
	"time"
)

// minRetention is the shortest retention of a setting.
const minRetention = 24 * time.Hour

// Bounds of token usage, and of their settings.
const (
	defaultUsageRetention  = 90 * 24 * time.Hour
	defaultUsageMaxRecords = 1_000_000

	minUsageMaxRecords = 1000
	maxUsageMaxRecords = 100_000_000
)

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
	return max(0, cmp.Or(u.Retention, defaultUsageRetention)), cmp.Or(u.MaxRecords, defaultUsageMaxRecords)
}

func parseUsageRetention(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	retention, problem := parseRetention(value, "as long as USAGE_MAX_RECORDS allows")
	switch {
	case problem != "":
		return problem
	case retention == 0:
		s.Service.Usage.Retention = -1
	case retention == defaultUsageRetention:
		s.Service.Usage.Retention = 0
	default:
		s.Service.Usage.Retention = retention
	}
	return ""
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

// parseRetention reads a duration of a day or more, or zero, whose meaning the problem names.
func parseRetention(value, zero string) (retention time.Duration, problem string) {
	retention, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return 0, "is not a duration such as 2160h"
	case retention != 0 && retention < minRetention:
		return 0, "is under 24h; 0 means " + zero
	}
	return retention, ""
}

func parseUsageMaxRecords(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < minUsageMaxRecords || n > maxUsageMaxRecords:
		return "is not a whole number from 1000 to 100000000"
	case n == defaultUsageMaxRecords:
		s.Service.Usage.MaxRecords = 0
	default:
		s.Service.Usage.MaxRecords = n
	}
	return ""
}
