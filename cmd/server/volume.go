package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"keywright.dev/keywright/internal/database"
)

const (
	// volumeInterval is how often the server checks the volume of its database.
	volumeInterval = 5 * time.Second
	// warnAgainAfter is shorter than the hour that an API server keeps an event.
	warnAgainAfter = 55 * time.Minute
)

// volumeState returns the volume of the database, or nil if it is not known: PostgreSQL has its own.
type volumeState func() *database.Volume

// note is the text for /readyz. Low space never fails readiness: without this server nothing would be verified.
func (s volumeState) note() string {
	if v := s(); v != nil && v.Low {
		return ", but its volume is almost full: " + described(v)
	}
	return ""
}

func described(v *database.Volume) string {
	const mib = 1 << 20
	return fmt.Sprintf("%d of %d MiB are free", v.Free/mib, v.Size/mib)
}

// follow logs and warns while the space is low: at once, and again so often that there is always an event.
func (s volumeState) follow(ctx context.Context, every time.Duration, warn func(text string), log *slog.Logger) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var warnedAt time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			warnedAt = s.report(warnedAt, time.Now(), warn, log)
		}
	}
}

// report returns when it last warned, which is zero while the space is not low.
func (s volumeState) report(warnedAt, now time.Time, warn func(text string), log *slog.Logger) time.Time {
	v := s()
	switch {
	case v == nil:
	case v.Low && (warnedAt.IsZero() || now.Sub(warnedAt) >= warnAgainAfter):
		log.Warn("The volume of the database is almost full: last uses and seen users are not written",
			"free", v.Free, "size", v.Size)
		warn("The volume of the database is almost full: " + described(v) +
			". Once it is full, management and logins are refused. Make it larger, or lower AUDIT_MAX_ENTRIES.")
		return now
	case !v.Low && !warnedAt.IsZero():
		log.Info("The volume of the database has space again", "free", v.Free, "size", v.Size)
		return time.Time{}
	}
	return warnedAt
}
