package main

import (
	"io"
	"log/slog"

	"github.com/go-logr/logr"
)

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "error": slog.LevelError}

// newLogger writes JSON lines.
func newLogger(w io.Writer, level string) logr.Logger {
	return logr.FromSlogHandler(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: logLevels[level]}))
}
