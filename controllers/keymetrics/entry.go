package keymetrics

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"keywright.dev/keywright/api/v1alpha1"
)

// entry is what is kept of one object. It is small, for there may be very many.
type entry struct {
	said    State
	stalled bool
	// end is when the current key ends, overlaps when those beside it do, rotation when the schedule is due.
	end, rotation instant
	overlaps      []instant
}

// instant is in seconds, as times in a status are. Zero: none.
type instant int64

func instantOf(t *metav1.Time) instant {
	if t == nil {
		return 0
	}
	return instant(t.Unix())
}

// come says that there is such an instant and that it is not ahead.
func (i instant) come(now instant) bool { return i != 0 && i <= now }

// entryOf reads an object's status.
func entryOf(status *v1alpha1.KeyHolderStatus) entry {
	e := entry{said: saidOf(status), stalled: isStalled(status), rotation: instantOf(status.NextRotation)}
	current := false
	for i := range status.Keys {
		k := &status.Keys[i]
		switch {
		case k.Pending:
		case !current:
			current, e.end = true, instantOf(k.NotAfter)
		case k.NotAfter != nil:
			// One without an end is on its way out.
			e.overlaps = append(e.overlaps, instantOf(k.NotAfter))
		}
	}
	return e
}

func (e *entry) state(now instant) State {
	if e.said == Active && e.end.come(now) {
		return Expired
	}
	return e.said
}
