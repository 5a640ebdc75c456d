package convert

import (
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
