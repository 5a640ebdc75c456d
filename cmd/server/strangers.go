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

// strangers are the keys on record that were digested with a pepper which is not mounted here, counted by the pepper's
// id. Each of them is refused like a key that nobody ever issued: nothing else would say why.
type strangers func() map[string]int

func (s strangers) count() (n int) {
	for _, keys := range s() {
		n += keys
	}
	return n
}

// note is for /readyz. It fails nothing: a server that is taken away for this would refuse all other keys too.
func (s strangers) note() string {
	unknown := s()
	if len(unknown) == 0 {
		return ""
	}
	ids := slices.Sorted(maps.Keys(unknown))
	return fmt.Sprintf(", but recorded keys are refused, for their pepper is not mounted: %s", strings.Join(ids, ", "))
}

// follow looks every so often, until ctx ends: what is recorded and what is mounted may both change at any time.
func (s strangers) follow(ctx context.Context, every time.Duration, log *slog.Logger) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	told := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.tell(told, log)
		}
	}
}

// tell warns of each pepper that was not told before.
func (s strangers) tell(told map[string]bool, log *slog.Logger) {
	unknown := s()
	for _, id := range slices.Sorted(maps.Keys(unknown)) {
		if told[id] {
			continue
		}
		told[id] = true
		log.Warn("Recorded keys are refused: they were digested with a pepper that is not mounted", "pepper", id, "keys", unknown[id])
	}
}
