package cluster

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"keywright.dev/keywright/internal/cli/console"
	"keywright.dev/keywright/internal/program"
)

// instant returns a time and how far it is: 2030-01-31T12:00:00Z (in 3d).
func instant(t *metav1.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	far := t.Sub(now)
	text := t.UTC().Format(time.RFC3339)
	if far < 0 {
		return text + " (" + duration.HumanDuration(-far) + " ago)"
	}
	return text + " (in " + duration.HumanDuration(far) + ")"
}

// short returns how far a time is: 3d, or 3d ago.
func short(t *metav1.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	if far := t.Sub(now); far >= 0 {
		return duration.HumanDuration(far)
	}
	return duration.HumanDuration(now.Sub(t.Time)) + " ago"
}

func parseSpan(flag, text string) (time.Duration, error) {
	d, ok := program.ParseSpan(text)
	if !ok {
		return 0, console.Usagef("--%s %q must be a time such as 7d, 12h or 30m", flag, text)
	}
	return d, nil
}
