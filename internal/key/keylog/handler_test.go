package keylog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"keywright.dev/keywright/internal/key/keylog"
)

const (
	generated = "ak_1234567890123456789012345678901234567890abcdef"
	brought   = "correct-horse-battery-staple"
)

type stringer struct{ text string }

func (s stringer) LogValue() slog.Value { return slog.StringValue(s.text) }

type open struct{ Text string }

// Each kind of value that can carry a text.
func TestHandler_HidesKeysEverywhere(t *testing.T) {
	for name, log := range map[string]func(l *slog.Logger, key string){
		"message": func(l *slog.Logger, key string) { l.Error("failed for " + key) }, //nolint:sloglint // a bad message
		"string":  func(l *slog.Logger, key string) { l.Error("m", "path", "/users/"+key+"/role") },
		"error": func(l *slog.Logger, key string) {
			l.Error("m", "err", fmt.Errorf("user %q: %w", key, io.EOF))
		},
		"joined errors":  func(l *slog.Logger, key string) { l.Error("m", "err", errors.Join(io.EOF, errors.New(key))) },
		"struct":         func(l *slog.Logger, key string) { l.Error("m", "v", open{key}) },
		"pointer":        func(l *slog.Logger, key string) { l.Error("m", "v", &open{key}) },
		"list":           func(l *slog.Logger, key string) { l.Error("m", "v", []string{"a", key}) },
		"map":            func(l *slog.Logger, key string) { l.Error("m", "v", map[string]any{key: 1}) },
		"bytes":          func(l *slog.Logger, key string) { l.Error("m", "v", open{string([]byte(key))}) },
		"not JSON":       func(l *slog.Logger, key string) { l.Error("m", "v", map[any]any{key: make(chan int)}) },
		"log value":      func(l *slog.Logger, key string) { l.Error("m", "v", stringer{key}) },
		"group":          func(l *slog.Logger, key string) { l.Error("m", slog.Group("g", "v", key)) },
		"name":           func(l *slog.Logger, key string) { l.Error("m", key, 1) },
		"with":           func(l *slog.Logger, key string) { l.With("v", key).Error("m") },
		"with a group":   func(l *slog.Logger, key string) { l.WithGroup("g").With("v", key).Error("m", "w", key) },
		"standard log":   func(l *slog.Logger, key string) { slog.NewLogLogger(l.Handler(), 8).Print("a " + key) },
		"in quotes":      func(l *slog.Logger, key string) { l.Error("m", "v", fmt.Sprintf("%q", "<"+key+">")) },
		"in an error of": func(l *slog.Logger, key string) { l.Error("m", "v", open{`"` + key + `"`}) },
	} {
		for _, key := range []string{generated, brought} {
			var out bytes.Buffer
			h := keylog.NewHandler(slog.NewJSONHandler(&out, nil))
			h.HideRecorded(func(text string) bool { return text == brought })
			log(slog.New(h), key)
			if got := out.String(); strings.Contains(got, key) || !strings.Contains(got, "(a key)") {
				t.Errorf("%s: %s", name, got)
			}
		}
	}
}

// Values without keys keep their type and form.
func TestHandler_LeavesOtherValues(t *testing.T) {
	log := func(handler func(slog.Handler) slog.Handler) string {
		var out bytes.Buffer
		json := slog.NewJSONHandler(&out, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})
		l := slog.New(handler(json))
		l.Warn("m", "n", 1, "t", time.Unix(0, 0).UTC(), "d", time.Second, "b", true, "s", []string{"a"}, "o", open{"x"},
			"err", errors.New("no"), "nothing", nil, slog.Group("g", "a", 1.5))
		l.Debug("dropped")
		return out.String()
	}
	want := log(func(next slog.Handler) slog.Handler { return next })
	if got := log(func(next slog.Handler) slog.Handler { return keylog.NewHandler(next) }); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStackHere_IsLoggedAsItIs(t *testing.T) {
	var out bytes.Buffer
	slog.New(keylog.NewHandler(slog.NewJSONHandler(&out, nil))).Error("m", "stack", keylog.StackHere())
	if !strings.Contains(out.String(), "TestStackHere_IsLoggedAsItIs") || strings.Contains(out.String(), "withheld") {
		t.Error(out.String())
	}
}

// Records below the level cost no more than without the handler.
func TestHandler_DisabledRecordsDoNotAllocate(t *testing.T) {
	l := slog.New(keylog.NewHandler(slog.NewJSONHandler(&bytes.Buffer{}, nil)))
	if n := testing.AllocsPerRun(100, func() { l.Enabled(context.Background(), slog.LevelDebug) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
