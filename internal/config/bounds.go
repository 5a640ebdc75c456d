package config

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// minRetention is the shortest retention of a setting. Settings of a number of rows have minRows to maxRows.
const (
	minRetention     = 24 * time.Hour
	minRows, maxRows = 1000, 100_000_000
)

// bounds are the default bounds of a table. In a document, a retention or number is 0 where the default applies, and a
// retention is negative where age alone removes no row.
type bounds struct {
	retention time.Duration
	rows      int
}

// apply returns the bounds that apply. Without a retention the first is 0.
func (b bounds) apply(retention time.Duration, rows int) (time.Duration, int) {
	return max(0, cmp.Or(retention, b.retention)), cmp.Or(rows, b.rows)
}

// readRetention reads a setting into the form of the document. zero says what a setting of 0 means.
func (b bounds) readRetention(into *time.Duration, value, zero string) (problem string) {
	if value == "" {
		return ""
	}
	retention, problem := parseRetention(value, zero)
	switch {
	case problem != "":
		return problem
	case retention == 0:
		retention = -1
	case retention == b.retention:
		retention = 0
	}
	*into = retention
	return ""
}

// readRows reads a setting into the form of the document.
func (b bounds) readRows(into *int, value string) (problem string) {
	if value == "" {
		return ""
	}
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < minRows || n > maxRows:
		return fmt.Sprintf("is not a whole number from %d to %d", minRows, maxRows)
	case n == b.rows:
		n = 0
	}
	*into = n
	return ""
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
