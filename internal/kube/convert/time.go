package convert

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
	"keywright.dev/keywright/internal/key/lifecycle"
)

// Instant reads an optional time. Only an unset time becomes the zero time: the year 1, which can be written, is an end
// in the past and not a missing end.
func Instant(t *metav1.Time) time.Time {
	switch {
	case t == nil:
		return time.Time{}
	case t.Time.IsZero():
		return t.Add(time.Second)
	}
	return t.Time
}

// TimeOf is the reverse of Instant, rounded up to the whole seconds that Kubernetes keeps.
func TimeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return &metav1.Time{Time: lifecycle.WholeSecond(t)}
}

// maxUnits is how many hours, minutes or seconds a duration in a manifest may have.
const maxUnits = 99_999

// DurationOf is the reverse of Duration, in the form that people write: 24h and not 24h0m0s. It rounds up to whole
// seconds, and down to the longest duration that can be written.
func DurationOf(d time.Duration) v1alpha1.Duration {
	rest := int64(max(d, 0) / time.Second)
	if d%time.Second > 0 {
		rest++
	}
	var text strings.Builder
	for _, unit := range []struct {
		seconds int64
		symbol  byte
	}{{3600, 'h'}, {60, 'm'}, {1, 's'}} {
		n := min(rest/unit.seconds, maxUnits)
		rest -= n * unit.seconds
		if n > 0 {
			fmt.Fprintf(&text, "%d%c", n, unit.symbol)
		}
	}
	if text.Len() == 0 {
		return "0s"
	}
	return v1alpha1.Duration(text.String())
}

// Duration reads a duration that the CRD's rules have checked. An invalid one counts as unset: an unreadable schedule
// must not rotate anything.
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
