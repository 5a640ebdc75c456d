package loglimit_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"keywright.dev/keywright/internal/program/loglimit"
	"keywright.dev/keywright/test/kit"
)

// start returns a bounded logger, what it writes, and a function that ends it.
func start(ctx context.Context) (log *slog.Logger, written *kit.Log, end func()) {
	written = &kit.Log{}
	h := loglimit.New(slog.NewTextHandler(written, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); h.Run(ctx) }()
	return slog.New(h), written, func() { cancel(); <-ended }
}

func TestHandler_CountsRepeatedLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, written, end := start(t.Context())
		for i := range 1000 {
			log.With("request", i).Warn("It failed", "n", i)
		}
		log.Error("Something else")
		if got := len(written.Lines("It failed")); got != 20 {
			t.Error(got, " lines")
		}
		time.Sleep(70 * time.Second)
		synctest.Wait()
		lines := written.Lines("It failed")
		if len(lines) != 21 || !strings.Contains(lines[20], "request=999 n=999 repeated=980") {
			t.Error(lines)
		}
		for range 2 {
			log.Warn("It failed")
		}
		end()
		if lines := written.Lines("It failed"); len(lines) != 22 || !strings.Contains(lines[21], "repeated=2") {
			t.Error("the rest is not logged at the end: ", lines)
		}
		if len(written.Lines("Something else")) != 1 {
			t.Error(written)
		}
	})
}

// A person turns on debug for a short time, and a line that must not be lost is logged without a bound.
func TestHandler_LeavesOthersAlone(t *testing.T) {
	log, written, end := start(t.Context())
	defer end()
	for range 100 {
		log.Debug("a detail")
		loglimit.Without(log).Error("a loss")
		loglimit.Without(slog.New(slog.NewTextHandler(written, nil))).Error("of another logger")
	}
	for _, message := range []string{"a detail", "a loss", "of another logger"} {
		if got := len(written.Lines(message)); got != 100 {
			t.Errorf("%d lines of %s", got, message)
		}
	}
}

// Messages are constants. If they were not, memory and lines would be bounded nevertheless.
func TestHandler_BoundsMessages(t *testing.T) {
	log, written, end := start(t.Context())
	defer end()
	for i := range 5000 {
		log.Info(fmt.Sprint("message ", i)) //nolint:sloglint // a bad message
	}
	if got := len(written.Lines("message")); got > 1020 {
		t.Error(got, " lines")
	}
}
