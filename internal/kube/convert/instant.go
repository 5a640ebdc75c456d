package convert

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Instant reads a time that may be left out, which gives the zero time. One that was written is never zero, not even
// the very first there is: that is an end long past, and not that there is none.
func Instant(t *metav1.Time) time.Time {
	switch {
	case t == nil:
		return time.Time{}
	case t.Time.IsZero():
		return t.Add(time.Second)
	}
	return t.Time
}
