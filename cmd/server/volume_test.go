package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/database"
	"keywright.dev/keywright/test/kit"
)

// A volume that is almost full is reported at once, again before an event expires, and when it is over.
func TestVolume_Report(t *testing.T) {
	begin := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	low := database.Volume{Free: 90 << 20, Size: 1 << 30, Low: true}
	enough := database.Volume{Free: 900 << 20, Size: 1 << 30}
	var written kit.Log
	var warnings []string
	log, warnedAt := slog.New(slog.NewTextHandler(&written, nil)), time.Time{}
	for i, step := range []struct {
		at       time.Duration
		v        *database.Volume
		warnings int
	}{
		{0, nil, 0}, {0, &enough, 0}, {time.Minute, &low, 1}, {2 * time.Minute, &low, 1}, {57 * time.Minute, &low, 2},
		{58 * time.Minute, &enough, 2}, {59 * time.Minute, &low, 3}, {60 * time.Minute, nil, 3},
	} {
		state := volumeState(func() *database.Volume { return step.v })
		warn := func(text string) { warnings = append(warnings, text) }
		warnedAt = state.report(warnedAt, begin.Add(step.at), warn, log)
		if len(warnings) != step.warnings {
			t.Errorf("step %d: %q", i, warnings)
		}
	}
	for _, text := range warnings {
		if !strings.Contains(text, "90 of 1024 MiB are free") {
			t.Error(text)
		}
	}
	if len(written.Lines("almost full")) != 3 || len(written.Lines("has space again")) != 1 {
		t.Error(written.String())
	}
}
