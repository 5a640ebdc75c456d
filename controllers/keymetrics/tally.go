package keymetrics

// tally is the count of one kind.
type tally struct {
	// states counts objects by the state of their key. Their sum is the number of objects.
	states [states]int
	// overlapping counts the old keys of active objects that are accepted beside the current ones.
	overlapping int
	// stalled counts the objects on which a person has to act, whether their key is accepted or not.
	stalled int
	// expiry is when the first key that is active ends, rotation when the schedule rotates the first one: past,
	// if that is overdue.
	expiry, rotation instant
}

// take counts one object.
func (t *tally) take(e *entry, now instant) {
	state := e.state(now)
	t.states[state]++
	if e.stalled {
		t.stalled++
	}
	t.rotation = earlier(t.rotation, e.rotation)
	if state != Active {
		return
	}
	t.expiry = earlier(t.expiry, e.end)
	for _, end := range e.overlaps {
		if !end.come(now) {
			t.overlapping++
		}
	}
}

// earlier of two instants, where zero stands for none.
func earlier(a, b instant) instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
