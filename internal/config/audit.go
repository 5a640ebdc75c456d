package config

import (
	"cmp"
	"strconv"
	"time"
)

// Bounds of the audit trail, and of their settings.
const (
	defaultAuditRetention  = 400 * 24 * time.Hour
	defaultAuditMaxEntries = 300_000

	minAuditMaxEntries = 1000
	maxAuditMaxEntries = 100_000_000
)

// Audit bounds the audit trail. The zero value is the default.
type Audit struct {
	// Retention is how long an entry stays. Negative: as long as there are no more than MaxEntries.
	Retention  time.Duration `json:"retention,omitempty"`
	MaxEntries int           `json:"maxEntries,omitempty"`
}

// Limits returns the bounds that apply. Without a retention the first is 0.
func (a Audit) Limits() (retention time.Duration, maxEntries int) {
	return max(0, cmp.Or(a.Retention, defaultAuditRetention)), cmp.Or(a.MaxEntries, defaultAuditMaxEntries)
}

func parseAuditRetention(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	retention, problem := parseRetention(value, "as long as AUDIT_MAX_ENTRIES allows")
	switch {
	case problem != "":
		return problem
	case retention == 0:
		s.Service.Audit.Retention = -1
	case retention == defaultAuditRetention:
		s.Service.Audit.Retention = 0
	default:
		s.Service.Audit.Retention = retention
	}
	return ""
}

func parseAuditMaxEntries(s *Settings, value string) string {
	if value == "" {
		return ""
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < minAuditMaxEntries || n > maxAuditMaxEntries:
		return "is not a whole number from 1000 to 100000000"
	case n == defaultAuditMaxEntries:
		s.Service.Audit.MaxEntries = 0
	default:
		s.Service.Audit.MaxEntries = n
	}
	return ""
}
