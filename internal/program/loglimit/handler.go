// Package loglimit bounds what anyone can make a program log by repeating a request. Of each message the first lines
// are logged; those that follow within a minute are counted, and the last of them is logged with the count.
package loglimit

import (
	"context"
	"log/slog"
	"time"

	"keywright.dev/keywright/internal/program/repeats"
)

const (
	// passing is how many lines of one message are logged before the others are counted.
	passing = 20
	// maxMessages bounds the messages that are counted apart. They are constants of the code.
	maxMessages = 1000
	// Repeated is the attribute with the number of lines that a line stands for.
	Repeated = "repeated"
)

// message identifies what is counted together.
type message struct {
	level slog.Level
	text  string
}

// line is a record, and the handler of the logger that it was logged with.
type line struct {
	next   slog.Handler
	record slog.Record
}

// Handler is a slog.Handler that bounds lines of level info and above.
type Handler struct {
	next slog.Handler
	// lines is shared by a handler and those derived from it.
	lines *repeats.Counter[message, line]
}

// New returns a handler that bounds the records on their way to next. Run must run beside it.
func New(next slog.Handler) *Handler {
	return &Handler{next, repeats.New[message, line](maxMessages, passing)}
}

// Without returns a logger that writes to the same place without a bound, for lines that must not be lost.
func Without(log *slog.Logger) *slog.Logger {
	if h, ok := log.Handler().(*Handler); ok {
		return slog.New(h.next)
	}
	return log
}

// Run logs the counts until ctx ends.
func (h *Handler) Run(ctx context.Context) {
	h.lines.Run(ctx, time.Now, func(counts []repeats.Count[line]) {
		for _, c := range counts {
			record := c.Last.record.Clone()
			record.AddAttrs(slog.Int(Repeated, c.N))
			_ = c.Last.next.Handle(context.WithoutCancel(ctx), record)
		}
	})
}

// Enabled is part of slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle is part of slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && h.isCounted(&r) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

func (h *Handler) isCounted(r *slog.Record) bool {
	l, now := line{h.next, r.Clone()}, time.Now()
	result := h.lines.Add(message{r.Level, r.Message}, l, 1, now)
	if result == repeats.Full {
		result = h.lines.Add(message{}, l, 1, now)
	}
	return result == repeats.Counted
}

// WithAttrs is part of slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.next.WithAttrs(attrs), h.lines}
}

// WithGroup is part of slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(name), h.lines}
}
