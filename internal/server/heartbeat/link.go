package heartbeat

import (
	"log/slog"
	"time"

	"k8s.io/utils/clock"
)

// link is whether the Lease can be written. It logs each change for the worse or the better once, however often is
// tried in between.
type link struct {
	log   *slog.Logger
	clock clock.PassiveClock
	// broken says that the last write failed, and since is when that began.
	broken bool
	since  time.Time
}

// note takes the result of a write.
func (l *link) note(err error) {
	switch {
	case err != nil && !l.broken:
		l.since = l.clock.Now()
		l.log.Warn("The configuration that runs can't be reported: it runs all the same", "error", err.Error())
	case err == nil && l.broken:
		l.log.Info("The configuration that runs can be reported again", "after", l.clock.Since(l.since).String())
	}
	l.broken = err != nil
}
