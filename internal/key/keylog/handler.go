// Package keylog hides keys in logs. Its handler stands before the one that writes: every text of every record passes
// keyformat.Hide, whichever package logs it.
package keylog

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"keywright.dev/keywright/internal/key/keyformat"
)

// Handler is a slog.Handler that hides keys.
type Handler struct {
	next slog.Handler
	// onRecord is shared by a handler and those derived from it.
	onRecord *atomic.Pointer[func(key string) bool]
}

// NewHandler returns a handler that hides generated keys in records on their way to next.
func NewHandler(next slog.Handler) *Handler {
	return &Handler{next: next, onRecord: &atomic.Pointer[func(key string) bool]{}}
}

// HideRecorded makes the handler hide the keys that onRecord recognizes as well, from now on. A key that a person made
// up has no form by which it could be recognized. onRecord must not log.
func (h *Handler) HideRecorded(onRecord func(key string) bool) { h.onRecord.Store(&onRecord) }

// Enabled is part of slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle is part of slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	hidden := slog.NewRecord(r.Time, r.Level, h.hide(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		hidden.AddAttrs(h.attr(a))
		return true
	})
	return h.next.Handle(ctx, hidden)
}

// WithAttrs is part of slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{h.next.WithAttrs(h.attrs(attrs)), h.onRecord}
}

// WithGroup is part of slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	return &Handler{h.next.WithGroup(h.hide(name)), h.onRecord}
}

func (h *Handler) hide(text string) string {
	onRecord := h.onRecord.Load()
	if onRecord == nil {
		return keyformat.Hide(text, func(string) bool { return false })
	}
	return keyformat.Hide(text, *onRecord)
}

func (h *Handler) attrs(all []slog.Attr) []slog.Attr {
	hidden := make([]slog.Attr, len(all))
	for i, a := range all {
		hidden[i] = h.attr(a)
	}
	return hidden
}

func (h *Handler) attr(a slog.Attr) slog.Attr {
	return slog.Attr{Key: h.hide(a.Key), Value: h.value(a.Value.Resolve())}
}

func (h *Handler) value(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(h.hide(v.String()))
	case slog.KindGroup:
		return slog.GroupValue(h.attrs(v.Group())...)
	case slog.KindAny:
		return h.anyValue(v.Any())
	}
	return v
}

// anyValue hides keys in the text of a value. A value without any stays as it is.
func (h *Handler) anyValue(v any) slog.Value {
	switch v := v.(type) {
	case Stack:
		return slog.StringValue(string(v))
	case error:
		return slog.StringValue(h.hide(v.Error()))
	}
	text := fmt.Sprintf("%+v", v)
	if asJSON, err := json.Marshal(v); err == nil {
		text = string(asJSON)
	}
	if hidden := h.hide(text); hidden != text {
		return slog.StringValue(hidden)
	}
	return slog.AnyValue(v)
}

// Stack is a stack trace. It holds places in the code and no texts of a request, and is logged as it is.
type Stack string

// StackHere returns the stack trace of the calling goroutine.
func StackHere() Stack { return Stack(debug.Stack()) }
