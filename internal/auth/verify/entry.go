package verify

import "time"

// entry is what is known of one key. It is written once.
type entry struct {
	owner *object
	// until is the instant from which the key is refused, in microseconds since 1970, or ^Reason when it is refused
	// at any time.
	until int64
}

// plain says that the key is accepted at any time.
func (e *entry) plain() bool { return e.until == never }

// reasonAt does not fetch a plain entry.
func (e *entry) reasonAt(now time.Time, plain bool) Reason {
	switch {
	case plain:
		return Accepted
	case e.until < 0:
		return Reason(^e.until)
	case now.UnixMicro() >= e.until:
		return Expired
	}
	return Accepted
}
