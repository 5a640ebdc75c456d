package convert

import (
	"time"

	"keywright.dev/keywright/api/v1alpha1"
)

// Duration reads a duration, which the CRD's rules have checked. One that got past them counts as not set: a schedule
// nobody can read must not rotate anything.
func Duration(d *v1alpha1.Duration) time.Duration {
	if d == nil {
		return 0
	}
	parsed, err := time.ParseDuration(string(*d))
	if err != nil || parsed < 0 {
		return 0
	}
	return parsed
}
