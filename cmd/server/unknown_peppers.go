package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

// unknownPeppers returns the ids of peppers that recorded keys were digested with and that are not mounted,
// each with the number of its keys. Such keys are refused as unknown, so nothing else shows the cause.
type unknownPeppers func() map[string]int

func (u unknownPeppers) count() (n int) {
	for _, keys := range u() {
		n += keys
	}
	return n
}

// note is the text for /readyz. It never fails readiness: without this server all other keys would be refused as well.
func (u unknownPeppers) note() string {
	unknown := u()
	if len(unknown) == 0 {
		return ""
	}
	ids := slices.Sorted(maps.Keys(unknown))
	return fmt.Sprintf(", but recorded keys are refused because their pepper is not mounted: %s", strings.Join(ids, ", "))
}

// follow checks at this interval until ctx ends: recorded keys and mounted peppers change at any time.
func (u unknownPeppers) follow(ctx context.Context, every time.Duration, log *slog.Logger) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	reported := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			u.report(reported, log)
		}
	}
}

// report logs a warning for each pepper that has not been reported before.
func (u unknownPeppers) report(reported map[string]bool, log *slog.Logger) {
	unknown := u()
	for _, id := range slices.Sorted(maps.Keys(unknown)) {
		if reported[id] {
			continue
		}
		reported[id] = true
		log.Warn("Recorded keys are refused: they were digested with a pepper that is not mounted",
			"pepper", id, "keys", unknown[id])
	}
}
