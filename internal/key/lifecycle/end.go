package lifecycle

import "time"

// The rules on time that operator and server share.

// EndOf returns the instant from which a key issued at that time is refused: the earliest of expiresAt and of each ttl
// after the issue. Zero values set no end, and zero is the result when there is none.
func EndOf(issued, expiresAt time.Time, ttls ...time.Duration) time.Time {
	end := expiresAt
	for _, ttl := range ttls {
		if ttl > 0 {
			end = earliest(end, issued.Add(ttl))
		}
	}
	return end
}

// Bounds returns what bounds the life of the keys of the object.
func (s *Spec) Bounds() *Bounds {
	return &Bounds{ExpiresAt: s.ExpiresAt, TTL: s.TTL, RoleTTL: s.MaxTTL, Role: s.MaxTTLFrom, Limits: s.Limits}
}

// RecordedEnd returns the end of a key of the object that is issued at that time, in whole seconds as status keeps it.
// Zero: never.
func (s *Spec) RecordedEnd(issued time.Time) time.Time {
	end, _ := s.Bounds().End(issued)
	if end.IsZero() {
		return end
	}
	return WholeSecond(end)
}

// Since returns the instant from which the lifetime of the key counts.
func (k *Key) Since() time.Time { return earliest(k.FirstIssuedAt, k.IssuedAt) }

// RecordedLimit returns the recorded end of a key as far as it limits the key. It is zero for a current key: its end is
// that of the spec, and the record is a copy, which the operator writes later. The record of any other key counts.
func RecordedLimit(k, current *Key) time.Time {
	if k == current {
		return time.Time{}
	}
	return k.ExpiresAt
}

// Ended reports whether an end has come. The zero end never does.
func Ended(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }

// ended reports whether the key has reached its end.
func (k *Key) ended(now time.Time) bool { return Ended(k.ExpiresAt, now) }

// IssueTime returns the time of issue to record for a key made now: in whole seconds, and never before its object was
// created by the API server's clock. A key older than its object counts as restored from a backup.
func IssueTime(now, created time.Time) time.Time {
	if now = now.Truncate(time.Second); now.Before(created) {
		return created
	}
	return now
}

// defaultOverlap is the time that a workload gets to read a new key from its mounted Secret.
const defaultOverlap = time.Hour

// DefaultOverlap returns the overlap of an APIKey that asks for none. A key that the API returned in a reply is
// replaced at once. With a schedule the overlap ends by the middle of the next interval.
func DefaultOverlap(byAPI bool, every time.Duration) time.Duration {
	switch {
	case byAPI:
		return 0
	case every > 0:
		return min(defaultOverlap, every/2)
	}
	return defaultOverlap
}

// WholeSecond rounds up to the precision of status, so that no key loses part of its time.
func WholeSecond(t time.Time) time.Time { return t.Add(time.Second - 1).Truncate(time.Second) }

// earliest returns the first of the instants, leaving out zero ones.
func earliest(instants ...time.Time) time.Time {
	var first time.Time
	for _, t := range instants {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
