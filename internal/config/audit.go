package config

import "time"

var auditBounds = bounds{retention: 400 * 24 * time.Hour, rows: 300_000}

// Audit bounds the audit trail. The zero value is the default.
type Audit struct {
	// Retention is how long an entry stays. Negative: as long as there are no more than MaxEntries.
	Retention  time.Duration `json:"retention,omitempty"`
	MaxEntries int           `json:"maxEntries,omitempty"`
}

// Limits returns the bounds that apply. Without a retention the first is 0.
func (a Audit) Limits() (retention time.Duration, maxEntries int) {
	return auditBounds.apply(a.Retention, a.MaxEntries)
}

func parseAuditRetention(s *Settings, value string) string {
	return auditBounds.readRetention(&s.Service.Audit.Retention, value, "as long as AUDIT_MAX_ENTRIES allows")
}

func parseAuditMaxEntries(s *Settings, value string) string {
	return auditBounds.readRows(&s.Service.Audit.MaxEntries, value)
}
